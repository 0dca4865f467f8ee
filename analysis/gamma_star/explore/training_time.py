"""b against training time, from the evaluations during training.

A prefix of a cosine schedule is not an end point of a shorter run: early gamma* is largely speed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.gamma_star.explore.specification import Specification, one

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
    rows = []
    spec = Specification(metric, primary.form, primary.window, "left out")
    values = [c for c in ("val_loss", "accuracy", "eval_total") if c in mine.columns]
    kept = runs.drop(columns=[c for c in values if c in runs.columns])
    for step in steps:
        at = mine[mine["step"] == step].drop_duplicates("run_id")
        joined = kept.merge(at[["run_id", *values]], on="run_id", how="left")
        joined[values] = joined[values].where(np.isfinite(joined[values].astype(float)))
        found = one(joined, use, spec)
        tokens = float(at["tokens"].median()) if "tokens" in at.columns else np.nan
        rows.append({"arm": arm, "step": int(step), "tokens": tokens,
                     **{k: found[k] for k in ("b", "low", "high", "interior")}})  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)
