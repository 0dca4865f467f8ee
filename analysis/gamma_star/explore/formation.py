"""Divergence and formation are outcomes with rates of their own, over seeds, never dropped rows."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from analysis.tables.metrics import formed, progress

# Of the way from chance to the best: seeds of one cell further apart than this are of two kinds.
LEAST_GAP = 0.4
TIGHT = 0.12  # the groups' SD beside the mean gap: normal noise cut at its widest gap has .15-.4
LEAST_MIXED, FEW_MIXED = 3, 0.05  # cells of two kinds: at least so many, and this share of all


def divergence(runs: pd.DataFrame) -> pd.DataFrame:
    """Share of diverged runs per (arm, depth, width, gamma), with a logistic fit in ln N and
    gamma; `fitted` is NaN where nothing diverged or the outcome is separated."""
    part = runs[runs["status"].isin(("completed", "diverged")) & runs["gamma"].notna()]
    part = part.assign(diverged=(part["status"] == "diverged").astype(float))
    out = (
        part.groupby(["arm", "depth", "width", "gamma"])["diverged"]
        .agg(runs="size", diverged="sum", rate="mean").reset_index()
    )  # fmt: skip
    out["fitted"] = np.nan
    for _, rows in out.groupby("arm"):
        if 0 < rows["diverged"].sum() < rows["runs"].sum():
            out.loc[rows.index, "fitted"] = logistic(
                np.column_stack([np.log(rows["depth"]), np.log1p(rows["gamma"].clip(lower=0))]),
                rows["diverged"].to_numpy(), rows["runs"].to_numpy(),
            )  # fmt: skip
    return out


def logistic(x: np.ndarray, hits: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Fitted rates of a binomial GLM; NaN where it doesn't converge (complete separation)."""
    # statsmodels.api costs three times as long to import as these
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    x = x[:, np.ptp(x, axis=0) > 0]
    design = np.column_stack([np.ones(len(x)), x])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            fit = GLM(np.column_stack([hits, runs - hits]), design, family=Binomial()).fit()
        except (Warning, PerfectSeparationError, np.linalg.LinAlgError, ValueError):
            return np.full(len(hits), np.nan)
    return np.asarray(fit.fittedvalues)


def formation(runs: pd.DataFrame) -> pd.DataFrame:
    """Rate of formation per (arm, depth, width, gamma) over seeds: Wilson intervals, and a
    logistic fit in ln N and a quadratic of ln(1 + gamma); `fitted` is NaN where it is separated."""
    from statsmodels.stats.proportion import proportion_confint

    part = runs[(runs["status"] == "completed") & runs["gamma"].notna()]
    part = part.assign(formed=formed(part).astype(float))
    out = (
        part.groupby(["arm", "depth", "width", "gamma"])["formed"]
        .agg(runs="size", formed="sum", rate="mean").reset_index()
    )  # fmt: skip
    low, high = proportion_confint(out["formed"], out["runs"], method="wilson")
    out = out.assign(low=low, high=high, fitted=np.nan)
    for _, rows in out.groupby("arm"):
        if 0 < rows["formed"].sum() < rows["runs"].sum():
            x = np.log1p(rows["gamma"])
            out.loc[rows.index, "fitted"] = logistic(
                np.column_stack([np.log(rows["depth"]), x, x**2]),
                rows["formed"].to_numpy(), rows["runs"].to_numpy(),
            )  # fmt: skip
    return out


def bimodal(runs: pd.DataFrame) -> bool:
    """Whether an arm's runs either form or don't: in cells where seeds differ most of the way from
    chance to the best, they fall into two groups that are tight beside the gap between them."""
    part = runs[runs["status"] == "completed"]
    if part.empty:
        return False
    gaps, within, cells = [], [], 0
    part = part.assign(progress=progress(part))
    for _, share in part.groupby(["depth", "width", "gamma"])["progress"]:
        v = np.sort(share.to_numpy(float))
        v = v[np.isfinite(v)]
        if len(v) < 2:
            continue
        cells += 1
        steps = np.diff(v)
        at = int(steps.argmax()) + 1
        if steps[at - 1] > LEAST_GAP:
            gaps.append(steps[at - 1])
            within += [(side - side.mean()) ** 2 for side in (v[:at], v[at:])]
    if len(gaps) < max(LEAST_MIXED, FEW_MIXED * cells):
        return False
    spare = sum(len(side) - 1 for side in within)
    spread = np.sqrt(np.concatenate(within).sum() / max(spare, 1))
    return bool(spread < TIGHT * np.mean(gaps))
