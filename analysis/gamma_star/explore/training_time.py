"""b against training time, from the evaluations during training.

A prefix of a cosine schedule is not an end point of a shorter run: early gamma* is largely speed.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
import pandas as pd

from analysis.gamma_star.curve_fit import fit_curves
from analysis.gamma_star.explore.specification import Specification, groups_of, law_of

COLUMNS = ["arm", "step", "tokens", "b", "low", "high", "interior"]
STEPS = 12  # evaluations looked at, of the about 20 that a run has


def over_time(arm: str, runs: pd.DataFrame, use: np.ndarray, curves: pd.DataFrame,
              primary: Specification) -> pd.DataFrame:  # fmt: skip
    """The primary choice at up to STEPS evaluation steps that (nearly) all of the arm's runs have."""
    metric = primary.metric if primary.metric in ("val_loss", "accuracy") else "val_loss"
    if metric not in curves.columns:
        return pd.DataFrame(columns=COLUMNS)
    mine = curves[curves["run_id"].isin(runs["run_id"][use])]
    count = mine.groupby("step")["run_id"].nunique()
    steps = count.index[count >= 0.9 * count.max()].to_numpy() if len(count) else np.array([])
    if len(steps) > STEPS:
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, STEPS).round().astype(int))]
    spec = Specification(metric, primary.form, primary.window, "left out")
    values = [c for c in ("val_loss", "accuracy", "eval_total") if c in mine.columns]
    kept = runs.drop(columns=[c for c in values if c in runs.columns])
    groups, rows = [], []
    for step in steps:
        at = mine[mine["step"] == step].drop_duplicates("run_id")
        there = at.set_index("run_id")[values].astype(float).reindex(kept["run_id"])
        there = there.where(np.isfinite(there)).set_index(kept.index)
        groups.append(groups_of(pd.concat([kept, there], axis=1), use, spec))
        tokens = float(at["tokens"].median()) if "tokens" in at.columns else np.nan
        rows.append({"arm": arm, "step": int(step), "tokens": tokens})
    # the curves of all steps at once: a batch is fitted in little more time than one of them
    fits = iter(fit_curves([cells for part in groups for cells in part], spec.form, spec.window))
    for row, part in zip(rows, groups, strict=True):
        found = law_of(list(islice(fits, len(part))), spec)
        row |= {k: found[k] for k in ("b", "low", "high", "interior")}
    return pd.DataFrame(rows, columns=COLUMNS)
