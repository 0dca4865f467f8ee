"""Momentum in the currency of depth: N_eff(gamma; N) = F0^-1(metric), F0 the gamma = 0 arm.

It exists only where F0 falls with N (tested); elsewhere it is "undefined". Matching (N, gamma) to
(N + dN, 0) is the exchange; if momentum entered through N h(gamma) alone, N_eff / N would not
depend on N, and gamma* couldn't either: that is how interaction is told apart from exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.special import stdtr

from analysis.gamma_star.cells import Cells
from analysis.gamma_star.explore.exchange_sentences import means, sentences
from analysis.text import number

DRAWS = 2000
LEVEL = 0.95
SEED = 20260204


@dataclass(frozen=True)
class Fungibility:
    """baseline: depth, value, se, seeds. effective: depth, gamma, n_eff, low, high, worth,
    worth_low, worth_high (layers), place ("inside", "above", "below" F0's range).
    rate: depth, gamma, mrs, low, high: d ln N_eff / d ln gamma, momentum's exchange rate.
    """

    arm: str
    metric: str
    defined: bool
    monotone: dict[str, Any]
    baseline: pd.DataFrame
    effective: pd.DataFrame
    rate: pd.DataFrame
    interaction: dict[str, Any]
    sentences: list[str] = field(default_factory=list)


EFFECTIVE = ["depth", "gamma", "n_eff", "low", "high", "worth", "worth_low", "worth_high", "place"]
RATE = ["depth", "gamma", "mrs", "low", "high"]


def exchange(arm: str, metric: str, groups: list[Cells], zeros: list[Cells]) -> Fungibility:
    """Exchange momentum for depth in one arm of one width.

    groups: the arm's cells; zeros: cells holding the gamma = 0 runs (the arm's own, or another's).
    """
    base = baseline(zeros)
    nothing = {
        "effective": pd.DataFrame(columns=EFFECTIVE), "rate": pd.DataFrame(columns=RATE),
        "interaction": {},
    }  # fmt: skip
    rng = np.random.default_rng(SEED)
    test = monotone(base, rng)
    if not test["passed"]:
        said = [f"N_eff is undefined: {test['finding']}"]
        return Fungibility(arm, metric, False, test, base, **nothing, sentences=said)
    df = max(float((base["seeds"] - 1).sum()), 1.0)
    curve = draws(base["y"].to_numpy(), base["se"].to_numpy(), df, rng)
    curve = np.minimum.accumulate(curve, axis=1)
    grid = np.log(base["depth"].to_numpy(float))
    rows, samples = [], {}
    for cells in groups:
        mean, se = means(cells)
        for gamma, y, s in zip(cells.gamma, mean, se, strict=True):
            if gamma <= 0 or not np.isfinite(y):
                continue
            sample = invert(draws(np.array([y]), np.array([s]), df, rng)[:, 0], curve, grid)
            samples[cells.depth, gamma] = sample
            rows.append(effective_row(cells.depth, gamma, y, sample, base))
    effective = pd.DataFrame(rows, columns=EFFECTIVE)
    rate = substitution(groups, samples)
    interaction = interacts(effective, samples)
    said = sentences(groups, effective, rate, interaction)
    return Fungibility(arm, metric, True, test, base, effective, rate, interaction, said)


def baseline(zeros: list[Cells]) -> pd.DataFrame:
    """The gamma = 0 runs per depth on the metric's scale: depth, y, se (of the mean), seeds."""
    rows = []
    for cells in zeros:
        if not len(cells.gamma) or cells.gamma[0] != 0:
            continue
        y = cells.y[:, 0][np.isfinite(cells.y[:, 0])]
        rows.append((cells.depth, y.mean(), y.var(ddof=1) if len(y) > 1 else np.nan, len(y)))
    out = pd.DataFrame(rows, columns=["depth", "y", "variance", "seeds"])
    # Few seeds a depth: one variance for all, so that lucky agreement is no precision.
    pooled = np.average(out["variance"].dropna(), weights=(out["seeds"] - 1)[
        out["variance"].notna()]) if out["variance"].notna().any() else np.nan  # fmt: skip
    own = out["variance"].fillna(pooled)
    out["se"] = np.sqrt((own + pooled) / 2 / out["seeds"])
    out["value"] = np.exp(out["y"])
    return out.sort_values("depth", ignore_index=True).drop(columns="variance")


def draws(mean: np.ndarray, se: np.ndarray, df: float, rng: np.random.Generator) -> np.ndarray:
    """(DRAWS, n) of the mean's t distribution."""
    return mean + se * rng.standard_t(df, (DRAWS, len(mean)))


def monotone(base: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
    """Whether F0 falls with N: isotonic fit not rejected, and a fall from first to last shown."""
    if len(base) < 3:
        return {"passed": False, "p": None,
                "finding": f"{len(base)} depths have γ = 0 runs; 3 are needed"}  # fmt: skip
    if base["se"].isna().any():
        return {"passed": False, "p": None, "finding": "one seed at γ = 0: no noise to test by"}
    y, se = base["y"].to_numpy(), np.maximum(base["se"].to_numpy(), 1e-9)
    df = max(float((base["seeds"] - 1).sum()), 1.0)

    def misfit(v: np.ndarray) -> float:
        fit = isotonic_regression(v, weights=1 / se**2, increasing=False).x
        return float((((v - fit) / se) ** 2).sum())

    fitted = isotonic_regression(y, weights=1 / se**2, increasing=False).x
    null = [misfit(v) for v in draws(fitted, se, df, rng)[:400]]
    seen = misfit(y)
    p = float(np.mean(np.array(null) >= seen - 1e-12))
    fall = float(stdtr(df, -(y[0] - y[-1]) / np.hypot(se[0], se[-1])))
    steps = ", ".join(number(v) for v in base["value"])
    if p < 0.05:
        finding = f"at γ = 0 the metric doesn't fall with depth (p = {number(p, 2)}): {steps}"
    elif fall > 0.05:
        finding = f"at γ = 0 no fall with depth is shown (p = {number(fall, 2)}): {steps}"
    else:
        finding = f"at γ = 0 the metric falls with depth: {steps}"
    return {"passed": bool(p >= 0.05 and fall <= 0.05), "p": p, "p_fall": fall, "finding": finding}


def invert(y: np.ndarray, curve: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """ln N_eff for each draw; -inf/inf where y lies outside the curve's range. curve (D, K) falls."""
    rows = np.arange(len(y))
    above = np.clip((curve >= y[:, None]).sum(1), 1, curve.shape[1] - 1)
    left, right = curve[rows, above - 1], curve[rows, above]
    gap = left - right
    share = np.where(gap > 0, (left - y) / np.where(gap > 0, gap, 1), 0.0)
    out = grid[above - 1] + np.clip(share, 0, 1) * (grid[above] - grid[above - 1])
    return np.where(y > curve[:, 0], -np.inf, np.where(y < curve[:, -1], np.inf, out))


def ends(sample: np.ndarray) -> tuple[float, float]:
    """The interval of a sample that may hold infinities."""
    return tuple(np.quantile(sample, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest"))


def effective_row(depth: int, gamma: float, y: float, sample: np.ndarray, base: pd.DataFrame):
    """One (N, gamma) in layers; NaN where the data don't bound it."""
    centre = float(invert(np.array([y]), np.minimum.accumulate(base["y"].to_numpy())[None, :],
                          np.log(base["depth"].to_numpy(float)))[0])  # fmt: skip
    place = "inside" if np.isfinite(centre) else ("above" if centre > 0 else "below")
    value, low, high = (float(np.exp(v)) if np.isfinite(v) else np.nan
                        for v in (centre, *ends(sample)))  # fmt: skip
    return (depth, float(gamma), value, low, high, value - depth, low - depth, high - depth, place)


def substitution(groups: list[Cells], samples: dict) -> pd.DataFrame:
    """d ln N_eff / d ln gamma at fixed N, over the gammas below the best one."""
    rows = []
    for cells in groups:
        mean, _ = means(cells)
        inside = [g for g in cells.gamma[: int(np.nanargmin(mean)) + 1]
                  if g > 0 and np.isfinite(samples[cells.depth, g]).mean() > 0.975]  # fmt: skip
        if len(inside) < 2:
            continue
        x = np.log(inside)
        y = np.array([samples[cells.depth, g] for g in inside])
        y = y[:, np.isfinite(y).all(0)]
        slope = ((x - x.mean()) @ y) / ((x - x.mean()) ** 2).sum()
        low, high = ends(slope)
        rows.append((cells.depth, float(np.exp(x.mean())), float(np.median(slope)), low, high))
    return pd.DataFrame(rows, columns=RATE)


def interacts(effective: pd.DataFrame, samples: dict) -> dict[str, Any]:
    """Whether N_eff / N changes with N at the same gamma: pure exchange says that it doesn't.

    Slope of ln(N_eff / N) on ln N with a level per gamma; its interval over the draws.
    """
    good = {k: v for k, v in samples.items() if np.isfinite(v).mean() > 0.975}
    by_gamma: dict[float, list[int]] = {}
    for depth, gamma in good:
        by_gamma.setdefault(gamma, []).append(depth)
    top = bottom = 0.0
    pieces = []
    for gamma, depths in by_gamma.items():
        if len(depths) < 2:
            continue
        x = np.log(depths) - np.log(depths).mean()
        y = np.array([good[d, gamma] - np.log(d) for d in depths])
        pieces.append(x @ np.where(np.isfinite(y), y, np.median(y, axis=1)[:, None]))
        bottom += float((x**2).sum())
    if not pieces:
        return {"slope": None, "low": None, "high": None, "interaction": None,
                "finding": "exchange and interaction can't be told apart: no γ has N_eff at two "
                         "depths"}  # fmt: skip
    top = np.sum(pieces, axis=0)
    slope = top / bottom
    low, high = (float(v) for v in ends(slope))
    found = not (low <= 0 <= high)
    finding = (
        "momentum interacts with depth: what a γ is worth changes with N"
        if found
        else "consistent with pure exchange, N_eff = N h(γ)"
    )
    return {"slope": float(np.median(slope)), "low": low, "high": high, "interaction": found,
            "finding": f"{finding} (slope of ln(N_eff/N) {number(np.median(slope), 2)} "
                     f"[{number(low, 2)}, {number(high, 2)}])"}  # fmt: skip
