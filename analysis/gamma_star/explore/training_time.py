"""b against training time: of runs of several lengths, each with its own cooldown, else from the
evaluations during training.

A prefix of a schedule is not an end point of a shorter run: early gamma* is largely speed.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
import pandas as pd

from analysis.gamma_star.curve_fit import fit_curves
from analysis.gamma_star.explore.specification import Specification, groups_of, law_of

COLUMNS = ["arm", "step", "tokens", "annealed", "b", "low", "high", "interior"]
STEPS = 12  # evaluations looked at, of the about 20 that a run has
VALUES = ["val_loss", "accuracy", "eval_total"]


def over_time(arm: str, runs: pd.DataFrame, use: np.ndarray, curves: pd.DataFrame,
              primary: Specification) -> pd.DataFrame:  # fmt: skip
    """The primary choice at up to STEPS evaluation steps that (nearly) all of the arm's runs have."""
    mine = curves[curves["run_id"].isin(runs["run_id"][use])]
    count = mine.groupby("step")["run_id"].nunique()
    steps = count.index[count >= 0.9 * count.max()].to_numpy() if len(count) else np.array([])
    if len(steps) > STEPS:
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, STEPS).round().astype(int))]
    at = {int(step): mine[mine["step"] == step] for step in steps}
    return _laws(arm, runs, use, at, "run_id", primary)


def over_lengths(arm: str, runs: pd.DataFrame, use: np.ndarray, shorter: pd.DataFrame,
                 primary: Specification) -> pd.DataFrame:  # fmt: skip
    """The primary choice at the end of each length to which the arm's models were trained; shorter: runs
    of the other lengths."""
    of_models = [shorter[shorter["trunk"].isin(runs["trunk"])], runs]
    every = pd.concat(of_models, ignore_index=True)
    at = {int(step): rows for step, rows in every.groupby("budget.steps")}
    return _laws(arm, runs, use, at, "trunk", primary)


def _laws(arm: str, runs: pd.DataFrame, use: np.ndarray, at: dict[int, pd.DataFrame], name: str,
          primary: Specification) -> pd.DataFrame:  # fmt: skip
    """The law of runs with their values replaced by those `at` each step, of the same `name`."""
    metric = primary.metric if primary.metric in ("val_loss", "accuracy") else "val_loss"
    values = [c for c in VALUES if at and all(c in rows.columns for rows in at.values())]
    if metric not in values:
        return pd.DataFrame(columns=COLUMNS)
    spec = Specification(metric, primary.form, primary.window, "left out")
    kept = runs.drop(columns=[c for c in values if c in runs.columns])
    groups, rows = [], []
    for step, found in at.items():
        one = found.drop_duplicates(name)
        there = one.set_index(name)[values].astype(float).reindex(kept[name])
        there = there.where(np.isfinite(there)).set_index(kept.index)
        groups.append(groups_of(pd.concat([kept, there], axis=1), use, spec))
        tokens = float(one["tokens"].median()) if "tokens" in one.columns else np.nan
        rows.append({"arm": arm, "step": step, "tokens": tokens, "annealed": name == "trunk"})
    # the curves of all steps at once: a batch is fitted in little more time than one of them
    fits = iter(fit_curves([cells for part in groups for cells in part], spec.form, spec.window))
    for row, part in zip(rows, groups, strict=True):
        law = law_of(list(islice(fits, len(part))), spec)
        row |= {k: law[k] for k in ("b", "low", "high", "interior")}
    return pd.DataFrame(rows, columns=COLUMNS)
