"""A `Table` that `load` returned can be fitted: its columns are there, its numbers are numbers,
no run stands in it twice, and it mixes nothing that gamma*(N) doesn't model.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.notebook import Shown
from analysis.tables.checks import (
    NEEDED,
    NUMBERS,
    check_once,
    check_one_setting,
    check_rows,
    to_numbers,
)
from analysis.tables.curves import read_curves
from analysis.tables.expressions import condition
from analysis.tables.lengths import longest
from analysis.tables.read import Source, place_of, read_frame, source_name
from analysis.tables.units import without_copies

SCALES = ("log", "linear")
UNIT, WEIGHT, LINEAR = "fit.unit", "fit.weight", "fit.linear"
"""What --cluster, --weights and --scale say of each run, as columns: a file's own of these names don't count."""


@dataclass(frozen=True)
class Primary:
    """The sweep file's `law` block: what was frozen before the sweep ran."""

    name: str = "gamma_star"
    metric: str = "val_loss"
    form: str | None = None
    window: float | None = None
    tuning_seeds: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Table(Shown):
    """Checked runs, one row each, and what is known of their sweep."""

    path: Path
    runs: pd.DataFrame
    sweep: str
    primary: Primary
    expected: int
    missing: list[dict[str, Any]] = field(default_factory=list)
    from_sweep: bool = False
    where: str | None = None
    """The condition that left rows out."""
    law_status: str = "not frozen"
    """Of `primary`: frozen, exploratory (changed after a submission), not frozen (no sweep's)."""
    law_history: list[Any] = field(default_factory=list)
    cluster: str | None = None
    """The column whose values, not the seeds, are the replicates of a fit (the runs' UNIT)."""
    weights: str | None = None
    """The column of each run's precision (the runs' WEIGHT)."""
    scale: str = "log"
    """Where the metric's noise is even: of its logarithm, or "linear" (the runs' LINEAR)."""
    notes: tuple[str, ...] = ()
    """What was set aside on reading, in words."""
    shorter: pd.DataFrame | None = None
    """Rows of the same models trained to shorter lengths."""

    @property
    def curves_path(self) -> Path:
        """Where the evaluations over training would stand."""
        return self.path.with_name("curves.parquet")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The evaluations of its runs, one row each; no rows where none stand beside the table."""
        found = read_curves(self.curves_path)
        if found is None:
            return pd.DataFrame({"run_id": [], "step": [], "val_loss": []})
        return found[found["run_id"].isin(self.runs["run_id"])].reset_index(drop=True)


def load(
    source: Source, where: str | None = None, cluster: str | None = None,
    weights: str | None = None, scale: str = "log",
) -> Table:  # fmt: skip
    """Read a file (Parquet; .csv and .tsv too) or take a DataFrame's rows, and check them. Raises
    InputError in one line.

    where: a condition on columns; the rows it leaves out were never in the table. cluster: the
    column whose runs of one value are one unit (seeds that share their data, say). weights: the
    column of each run's precision (its inverse variance, up to a factor). scale: "log", or "linear"
    for noise that is even in the metric itself.
    """
    path = place_of(source)
    runs, about = read_frame(source)
    try:
        if where:
            runs, about, where = chosen_rows(runs, about, where)
        table = from_frame(runs, about, path, where)
        table = clustered(table, cluster) if cluster else table
        return weighted(table, weights, scale)
    except InputError as error:
        raise InputError(f"{source_name(path)}: {error}") from None


def from_frame(
    runs: pd.DataFrame, about: dict[str, Any], path: Path, where: str | None = None
) -> Table:
    """Check rows and metadata. Raises InputError without the path in it."""
    primary = read_primary(about.get("law") or {})
    missing_columns = [c for c in (*NEEDED, primary.metric) if c not in runs.columns]
    if missing_columns:
        raise InputError(
            f"lacks the column{'s' if len(missing_columns) > 1 else ''} "
            f"{', '.join(map(repr, missing_columns))}; a table of runs has "
            f"{', '.join(dict.fromkeys((*NEEDED, primary.metric)))}"
        )
    if runs.empty:
        raise InputError("has no rows: nothing to fit")
    every = len(runs)
    runs, shorter, said = longest(runs)
    runs = runs.drop(columns=[UNIT, WEIGHT, LINEAR], errors="ignore").reset_index(drop=True)
    for column in {*NUMBERS, primary.metric} & set(runs.columns):
        runs[column] = to_numbers(runs[column], column)
    if "width" not in runs.columns:
        runs["width"] = 0
    if "chance" not in runs.columns:
        runs["chance"] = np.nan
    check_rows(runs, primary.metric)
    check_one_setting(runs)
    check_once(runs)
    for column in ("depth", "width", "seed"):
        runs[column] = runs[column].astype(int)
    runs["arm"] = runs["arm"].astype(str)
    runs, copies = without_copies(runs)
    runs = runs.reset_index(drop=True)
    return Table(
        path=path,
        runs=runs,
        sweep=str(about.get("sweep") or sweep_name(runs, path)),
        primary=primary,
        expected=int(about.get("expected") or every) - (every - len(runs)),
        missing=list(about.get("missing") or []),
        from_sweep=bool(about),
        where=where,
        law_status=str(about.get("law_status") or ("frozen" if about else "not frozen")),
        law_history=list(about.get("law_history") or []),
        notes=tuple(note for note in (said, copies) if note),
        shorter=shorter,
    )


def clustered(table: Table, column: str) -> Table:
    """The table with the values of a column as its replicates. Raises InputError without it."""
    if column not in table.runs.columns or table.runs[column].isna().any():
        raise InputError(f"--cluster {column!r}: no such column, or not in every row")
    unit = pd.factorize(table.runs[column].astype(str))[0]
    return replace(table, runs=table.runs.assign(**{UNIT: unit}), cluster=column)


def weighted(table: Table, column: str | None, scale: str = "log") -> Table:
    """The table with a column as its runs' precisions and the scale on which their noise is even.
    Raises InputError for a column that isn't positive in every completed run."""
    if scale not in SCALES:
        raise InputError(f"--scale {scale!r}: allowed are {', '.join(SCALES)}")
    runs = table.runs
    if column is not None:
        if column not in runs.columns:
            raise InputError(f"--weights {column!r}: no such column")
        weight = to_numbers(runs[column], column)
        if not (np.isfinite(weight) & (weight > 0))[runs["status"] == "completed"].all():
            raise InputError(f"--weights {column!r}: has to be a positive number in every "
                             "completed run")  # fmt: skip
        runs = runs.assign(**{WEIGHT: weight})
    if scale == "linear":
        runs = runs.assign(**{LINEAR: True})
    return replace(table, runs=runs, weights=column, scale=scale)


def chosen_rows(
    runs: pd.DataFrame, about: dict[str, Any], where: str
) -> tuple[pd.DataFrame, dict[str, Any], str | None]:
    """The rows a condition chooses, the metadata that still holds, and the condition (None where it
    chose everything). What is missing of a sweep may or may not be chosen, so it still counts as
    missing. Raises InputError."""
    keep = condition(where, runs)
    if not keep.any():
        raise InputError(f"--where {where!r} leaves none of {len(runs)} rows")
    left_out = int((~keep).sum())
    if about.get("expected"):
        about = {**about, "expected": int(about["expected"]) - left_out}
    return runs[keep], about, where if left_out else None


def sweep_name(runs: pd.DataFrame, path: Path) -> str:
    """The sweep's name where the metadata doesn't say it."""
    if "sweep" in runs.columns and runs["sweep"].nunique() == 1:
        return str(runs["sweep"].iloc[0])
    return path.stem


def read_primary(law: dict[str, Any]) -> Primary:
    """The `law` block with its defaults. Raises InputError for what the fit doesn't know."""
    if law.get("name", "gamma_star") != "gamma_star":
        raise InputError(
            f"law.name is {law['name']!r}; `fit` knows gamma_star (see `analysis law`)"
        )
    window = law.get("window")
    if window is not None and not (isinstance(window, int | float) and 0 < window < np.inf):
        raise InputError(f"law.window is {window!r}; a positive number (ln γ) or null")
    tuning = law.get("tuning_seeds")
    return Primary(
        metric=str(law.get("metric") or "val_loss"),
        form=law.get("form"),
        window=None if window is None else float(window),
        tuning_seeds=None if tuning is None else tuple(int(seed) for seed in tuning),
    )
