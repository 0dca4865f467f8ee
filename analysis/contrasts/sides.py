"""`analysis compare A B`: two tables, sweeps or arms side by side, or ours against published.

Guarantee: cells are matched by the columns named, nothing is extrapolated; a difference carries
an interval only where it has two or more measurements a side (paired by seed where both sides
hold the same seeds), and what one side lacks is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.notebook import Shown
from analysis.stats import tests
from analysis.tables.checks import to_numbers
from analysis.tables.expressions import condition
from analysis.tables.groups import groups_of
from analysis.tables.laws_json import read
from analysis.tables.published import GAMMA_STAR
from analysis.tables.read import Source, read_frame
from analysis.tables.table import Table, load

CELL = ("arm", "task", "depth", "width", "gamma", "lr")
METRICS = ("val_loss", "loss", "accuracy")


@dataclass(frozen=True)
class Side:
    """One side: its name, rows, and the path its laws.json may stand beside."""

    name: str
    rows: pd.DataFrame
    path: Path | None
    arm: str | None


class Comparison(dict[str, Any], Shown):
    """{"a", "b", "laws", "cells", "difference_in_b", ...}, or with "published"."""


def compare_sides(
    a: Source | Table, b: Source | Table, by: str | None = None,
    metric: str | None = None, where: str | None = None,
) -> Comparison:  # fmt: skip
    """The arguments are those of the verb; a side may be a table that was read already.

    Raises InputError where a side can't be read, a column is missing or nothing matches.
    """
    left = side(a, where)
    if isinstance(b, str) and b == "published":
        return Comparison(
            a=left.name, b=f"published {GAMMA_STAR[0]}·N^-{GAMMA_STAR[1]}", laws=laws(left),
            published=published(left),
        )  # fmt: skip
    right = _arm_of(left, b, where) if left.arm is None and _is_arm(left, b) else side(b, where)
    if left.arm is None and _is_arm(left, b):
        raise InputError(f"{b!r} is an arm of {a}: name the other arm too, as {a}@ARM")
    result = Comparison(a=left.name, b=right.name)
    result["laws"] = {"a": laws(left), "b": laws(right)}
    result.update(cells(left, right, by, metric))
    result["difference_in_b"] = slopes(result["laws"]["a"], result["laws"]["b"])
    return result


def _is_arm(left: Side, name: Source | Table) -> bool:
    return (
        isinstance(name, str) and "arm" in left.rows
        and name in set(left.rows["arm"].astype(str)) and not Path(name).exists()
    )  # fmt: skip


def _arm_of(left: Side, name: str, where: str | None) -> Side:
    rows = left.rows[left.rows["arm"].astype(str) == name]
    return Side(f"{left.name}@{name}", rows, left.path, name)


def side(given: Source | Table, where: str | None) -> Side:
    """Read one side: a table, its rows, a file, a folder holding table.parquet, a sweep's name, or any
    @ARM."""
    if not isinstance(given, str | Path | Table):
        given = load(given)
    if isinstance(given, Table):
        (table,) = groups_of(given, where).values()
        return Side(table.sweep, table.runs, table.path, None)
    text = str(given)
    name, at, arm = text.partition("@") if not Path(text).exists() else (text, "", "")
    path = next(
        (
            p
            for p in (
                Path(name),
                Path(name) / "table.parquet",
                Path("results") / name / "table.parquet",
            )
            if p.is_file()
        ),
        None,
    )
    if path is None:
        raise InputError(
            f"{name!r} is no table, no folder with a table.parquet and no sweep under results/"
        )
    rows, _ = read_frame(path)
    if where:
        keep = condition(where, rows)
        if not keep.any():
            raise InputError(f"--where {where!r} leaves none of {len(rows)} rows of {name}")
        rows = rows[keep]
    if at:
        if "arm" not in rows:
            raise InputError(f"{name} has no column 'arm' to choose {arm!r} from")
        arms = sorted(rows["arm"].astype(str).unique())
        if arm not in arms:
            raise InputError(f"{name} has no arm {arm!r}; it has {', '.join(arms)}")
        rows = rows[rows["arm"].astype(str) == arm]
    return Side(text, rows, path, arm if at else None)


def laws(which: Side) -> list[dict[str, Any]]:
    """The laws in laws.json beside a table (of its arm, where one is named); [] without."""
    written = which.path.with_name("laws.json") if which.path is not None else None
    if written is None or not written.exists():
        return []
    return [law.to_json() for law in read(written) if which.arm in (None, law.arm)]


def slopes(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """b of A less b of B, with the interval of two independent estimates, for arms in both
    (or the one arm of either side)."""
    pairs = [
        (x, y)
        for x in a
        for y in b
        if x["law"] == y["law"] == "gamma_star"
        and (x["arm"] == y["arm"] or (len(a) == 1 and len(b) == 1))
    ]
    found = []
    for x, y in pairs:
        p, q = x["parameters"].get("b"), y["parameters"].get("b")
        entry = {"arms": [x["arm"], y["arm"]], "difference": None, "low": None, "high": None}
        if p and q and None not in (p["estimate"], q["estimate"]):
            gap = p["estimate"] - q["estimate"]
            entry["difference"] = gap
            if None not in (p["low"], p["high"], q["low"], q["high"]):
                half = np.hypot((p["high"] - p["low"]) / 2, (q["high"] - q["low"]) / 2)
                entry.update(low=gap - half, high=gap + half)
        found.append(entry)
    return found


def cells(left: Side, right: Side, by: str | None, metric: str | None) -> dict[str, Any]:
    """Match cells and take differences of the metric, A less B."""
    common = [c for c in left.rows if c in right.rows]
    metric = metric or next((m for m in METRICS if m in common), None)
    if metric is None or metric not in common:
        raise InputError(
            f"--metric {metric or '(none of ' + ', '.join(METRICS) + ')'}: both sides "
            f"need that column; common are {', '.join(map(str, common[:12]))}"
        )
    columns = [c.strip() for c in by.split(",")] if by else _varying(left, right, common, metric)
    for column in columns:
        if column not in common:
            raise InputError(f"--by {column!r}: not a column of both sides")
    if not columns:
        raise InputError("nothing to match by: name columns with --by")
    rows_a, rows_b = (_measured(s, metric) for s in (left, right))
    groups_a, groups_b = (dict(list(r.groupby(columns, dropna=False))) for r in (rows_a, rows_b))
    shared = [k for k in groups_a if k in groups_b]
    if not shared:
        raise InputError(
            f"no cell of {left.name} has a match in {right.name} by {', '.join(columns)}"
        )
    # runs that differ in more than their seed are no replicates of each other
    pooled = [
        c
        for c in CELL
        if c in common
        and c not in columns
        and any(g[c].nunique() > 1 for g in (groups_a[k] for k in shared))
    ]
    table = [
        {
            **dict(zip(columns, key, strict=True)),
            **difference(groups_a[key], groups_b[key], metric, not pooled),
        }
        for key in shared
    ]
    return {
        "metric": metric,
        "by": columns,
        "cells": table,
        "pooled": pooled,
        "without_value": [len(s.rows) - len(r) for s, r in ((left, rows_a), (right, rows_b))],
        "only_a": len(groups_a) - len(shared),
        "only_b": len(groups_b) - len(shared),
    }


def _varying(left: Side, right: Side, common: list[str], metric: str) -> list[str]:
    """The usual cell columns that vary and aren't what tells the sides apart."""
    found = []
    for column in CELL:
        if column in common and column != metric:
            a, b = set(left.rows[column].dropna()), set(right.rows[column].dropna())
            if a & b and len(a | b) > 1:
                found.append(column)
    return found or [
        c for c in CELL if c in common and set(left.rows[c].dropna()) & set(right.rows[c].dropna())
    ]


def _measured(which: Side, metric: str) -> pd.DataFrame:
    """The rows that have the metric. Raises InputError for words there, and where there are none."""
    rows = which.rows.copy()
    try:
        rows[metric] = to_numbers(rows[metric], metric)
    except InputError as error:
        raise InputError(f"{which.name}: {error}") from None
    rows = rows[np.isfinite(rows[metric])]
    if rows.empty:
        raise InputError(f"{which.name}: no row has a finite {metric}")
    return rows


def difference(a: pd.DataFrame, b: pd.DataFrame, metric: str, bounded: bool) -> dict[str, Any]:
    """Means, their difference A - B and (bounded) its 95 % interval: paired by seed, else Welch's."""
    x, y = a[metric].to_numpy(float), b[metric].to_numpy(float)
    entry = {
        "n_a": x.size,
        "n_b": y.size,
        "mean_a": x.mean(),
        "mean_b": y.mean(),
        "difference": x.mean() - y.mean(),
        "low": None,
        "high": None,
        "paired": False,
    }
    if not bounded:
        return entry
    if "seed" in a and "seed" in b and a["seed"].is_unique and b["seed"].is_unique:
        both = a.set_index("seed")[metric] - b.set_index("seed")[metric]
        both = both.dropna().to_numpy(float)
        if both.size >= 2 and both.size == x.size == y.size:
            _, low, high = tests.mean(both)
            return {**entry, "low": low, "high": high, "paired": True}
    found = tests.difference(x, y)
    return entry if found is None else {**entry, "low": found[0], "high": found[1]}


def published(left: Side) -> list[dict[str, Any]]:
    """Per arm: our (a, b) beside the published pair, the joint test, and γ* depth by depth."""
    found = []
    for law in laws(left):
        if law["law"] != "gamma_star":
            continue
        depths = [
            {
                "depth": o["depth"],
                "kind": o["kind"],
                "gamma": o["gamma"],
                "low": o["low"],
                "high": o["high"],
                "published": GAMMA_STAR[0] * o["depth"] ** -GAMMA_STAR[1],
            }
            for o in law["data"].get("optima", [])
        ]
        found.append(
            {
                "arm": law["arm"],
                "verdict": law["verdict"],
                "parameters": law["parameters"],
                "joint_test": law["data"].get("published"),
                "depths": depths,
            }
        )
    if not found:
        raise InputError(f"{left.name}: no γ* law in laws.json beside it; run 'analysis fit' first")
    return found
