"""The table of arms: each arm, at each task and depth, beside plain attention and a reference.

Guarantee: a setting is judged on seeds that did not choose it (or says that none were left);
differences are paired by seed, since runs of one seed share data and initialisation; p is adjusted
over all of the table's comparisons (Holm 1979); a diverged run counts at chance, unformed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.contrasts.settings import NONE, arms_of, choose, plain_of, setting_columns
from analysis.errors import InputError
from analysis.notebook import Shown
from analysis.stats import tests
from analysis.tables.metrics import METRICS, formed, scale, unscale
from analysis.tables.table import Table


@dataclass(frozen=True)
class Arms(Shown):
    """rows: one a (task, width, depth, arm); gammas: one a (task, width, depth, arm, gamma), the
    rate of formation there against gamma = 0; how: one sentence on choosing and judging."""

    metric: str
    reference: str
    rows: list[dict[str, Any]]
    gammas: list[dict[str, Any]]
    how: str


def compare_arms(
    tables: dict[str, Table], reference: str | None = None, metric: str | None = None
) -> Arms:
    """Compare all arms of each table. Raises InputError for an unknown reference or metric."""
    metric = metric or next(iter(tables.values())).primary.metric
    if metric not in METRICS or metric == "steps_to_solve":
        allowed = ", ".join(m for m in METRICS if m != "steps_to_solve")
        raise InputError(f"arms are judged by one of {allowed}, not {metric!r}")
    parts = {label: prepared(table, metric) for label, table in tables.items()}
    names = list(dict.fromkeys(a for runs in parts.values() for a in runs["arm"]))
    if reference is None:
        reference = next(a for a in ("raw", NONE, *names) if a in names)
    if reference not in names:
        raise InputError(f"--reference {reference}: no such arm; there are {', '.join(names)}")
    rows: list[dict[str, Any]] = []
    gammas: list[dict[str, Any]] = []
    for label, runs in parts.items():
        for (width, depth), part in runs.groupby(["width", "depth"]):
            place = {"task": label, "width": int(width), "depth": int(depth)}
            chosen = {arm: choose(tables[label], mine, setting_columns(mine))
                      for arm, mine in part.groupby("arm", sort=False)}  # fmt: skip
            order = sorted(chosen, key=names.index)
            rows += [{**place, **row(arm, chosen[arm], chosen.get(reference), metric)}
                     for arm in order]  # fmt: skip
            gaps = by_gamma(tables[label], part, chosen)
            for arm in dict.fromkeys(g["arm"] for g in gaps):
                adjust([g for g in gaps if g["arm"] == arm])
            gammas += [{**place, **gap} for gap in gaps]
    adjust(rows)
    how = ("Within an arm the setting is chosen on the seeds named and judged on the others; "
           "intervals are at 95 % over seeds; a diverged run counts at chance; differences are "
           "paired by seed, p adjusted over the table (Holm); formation is compared by Boschloo's "
           "exact test, p adjusted over an arm's γ")  # fmt: skip
    how = ". ".join([how, *(note for table in tables.values() for note in table.notes)])
    return Arms(metric, reference, rows, gammas, how)


def prepared(table: Table, metric: str) -> pd.DataFrame:
    """Finished runs with y (the metric's scale, diverged at chance), formed, accuracy, arm."""
    runs = table.runs[table.runs["status"].isin(("completed", "diverged"))].reset_index(drop=True)
    if not (runs["status"] == "completed").any():
        raise InputError("no run completed: nothing to compare")
    if metric not in runs.columns:
        raise InputError(f"has no column {metric!r}; the metrics are {', '.join(METRICS)}")
    lost = (runs["status"] == "diverged").to_numpy()
    scaled = scale(runs, metric)
    worst = np.nanmax(scaled.y[~lost]) if scaled.ceiling is None else np.log(scaled.ceiling)
    runs = runs.assign(y=np.where(lost, worst, scaled.y), lost=lost)
    if "accuracy" in runs.columns:
        runs["accuracy"] = np.where(lost, runs["chance"], runs["accuracy"])
    runs["formed"] = formed(runs) & ~lost
    return arms_of(runs)


def row(arm: str, chosen, reference, metric: str) -> dict[str, Any]:
    """One arm's numbers, and its distance from the reference's."""
    part = chosen.judged
    out: dict[str, Any] = {"arm": arm, "setting": chosen.label, "chosen": chosen.how,
                           "seeds": int(part["seed"].nunique()), "runs": len(part), "diverged": int(part["lost"].sum())}  # fmt: skip
    middle, low, high = (None if v is None else float(unscale(np.array(v), metric))
                         for v in tests.mean(part["y"].to_numpy()))  # fmt: skip
    if metric == "accuracy":  # less error is more accuracy
        low, high = high, low
    spread(out, metric, (middle, low, high))
    if "accuracy" in part.columns and metric != "accuracy":
        middle, low, high = tests.mean(part["accuracy"].to_numpy(float))
        spread(out, "accuracy", (middle, low if low is None else max(low, 0.0),
                                 high if high is None else min(high, 1.0)))  # fmt: skip
    out["formed"] = int(part["formed"].sum())
    spread(out, "formation", tests.proportion(out["formed"], len(part)))
    if "steps_to_solve" in part.columns and "steps" in part.columns:
        budget = part["budget.steps"] if "budget.steps" in part.columns else part["steps"]
        spread(out, "steps", tests.median_time(part["steps_to_solve"].to_numpy(float),
                                                  budget.to_numpy(float)))  # fmt: skip
    return out | against(part, reference)


def against(part: pd.DataFrame, reference) -> dict[str, Any]:
    """ratio of the metric (of the error rate, for accuracy) to the reference's, paired by seed."""
    out: dict[str, Any] = {
        "pairs": 0,
        "ratio": None,
        "ratio_low": None,
        "ratio_high": None,
        "p": None,
    }
    if reference is None or reference.judged is part:
        return out
    mine, theirs = (p.groupby("seed")["y"].mean() for p in (part, reference.judged))
    gap = (mine - theirs).dropna().to_numpy()
    middle, low, high = (None if v is None else float(np.exp(v)) for v in tests.mean(gap))
    return {"pairs": len(gap), "ratio": middle, "ratio_low": low, "ratio_high": high,
            "p": tests.p_of_mean(gap)}  # fmt: skip


def by_gamma(table: Table, part: pd.DataFrame, chosen: dict) -> list[dict[str, Any]]:
    """The rate of formation at each gamma of each arm against that at gamma = 0."""
    out = []
    cells = part[part["gamma"].notna() & (part["gamma"] != 0)]
    for (arm, gamma), mine in cells.groupby(["arm", "gamma"], sort=False):
        none = plain_of(str(arm), chosen)
        if none is None:
            continue
        zero = chosen[none].judged
        judged = choose(table, mine, setting_columns(mine)).judged
        hits, count = int(judged["formed"].sum()), len(judged)
        out.append({"arm": arm, "gamma": float(gamma), "formed": hits, "runs": count,
                    "formed_at_0": int(zero["formed"].sum()), "runs_at_0": len(zero),
                    **tests.proportion_gap(hits, count, int(zero["formed"].sum()), len(zero))})  # fmt: skip
    place = {arm: i for i, arm in enumerate(dict.fromkeys(cells["arm"]))}
    return sorted(out, key=lambda r: (place[r["arm"]], r["gamma"]))


def spread(out: dict[str, Any], name: str, found: tests.Interval) -> None:
    """Put an interval under name, name_low, name_high."""
    out[name], out[f"{name}_low"], out[f"{name}_high"] = found


def adjust(rows: list[dict[str, Any]]) -> None:
    """Adjust p over all rows that have one, in place, as p_holm."""
    known = [r for r in rows if r.get("p") is not None]
    for r in rows:
        r["p_holm"] = None
    for r, p in zip(known, tests.holm([r["p"] for r in known]), strict=True):
        r["p_holm"] = p
