"""An optimum is called interior only where the curve rises on both sides of it beyond the noise.

Everything else is said as what it is: at or beyond an edge of the grid (censored, with the bound
that holds), or no optimum to be told. Intervals: jackknife over seeds, variances shrunk across
the arm's depths.
"""

from __future__ import annotations

import numpy as np
from scipy.special import fdtrc, stdtrit

from analysis.gamma_star.cells import plain_means
from analysis.gamma_star.curve_fit import CurveFit
from analysis.gamma_star.floors import without_floors
from analysis.gamma_star.records import Optimum
from analysis.stats.shrinkage import shrink_variances
from analysis.stats.tests import p_of_equal_columns
from analysis.text import number

LEVEL = 0.95
# One-sided, for each edge: that the curve rises towards it and that the optimum lies inside it.
EDGE_LEVEL = 0.90
PLATEAU = 0.01  # of the way from the best metric to chance (without a ceiling: of the best)
# A rise of less than 5 % of the metric (of the error rate, of the steps) is a plateau: a valley
# floor that runs into the grid's edge says nothing about where in it the best lies.
FLAT = float(np.log(1.05))
FLAT_LEVEL = 0.001
SURE = 1e-8


def degrees(fit: CurveFit) -> int:
    """Of freedom of the jackknife variance: seeds less one; one seed: cells less parameters."""
    seeds = len(fit.cells.seeds)
    return seeds - 1 if seeds > 1 else max(int(fit.keep.sum()) - 4, 1)


def optima(fits: list[CurveFit]) -> list[Optimum]:
    """The optimum of each depth of one arm, with the arm's variances shrunk together."""
    raw = np.array([float(f.jackknife(np.clip(f.theta_without, f.hull[0] - 1.5, f.hull[1] + 1.5)))
                    for f in fits])  # fmt: skip
    df = np.array([degrees(f) for f in fits])
    inside = np.array([f.hull[0] < f.theta < f.hull[1] for f in fits])
    pool = inside if inside.any() else np.ones(len(fits), bool)
    shrunk, shrunk_df = np.array(raw), np.array(df, float)
    if len(fits):
        shrunk[pool], shrunk_df[pool] = shrink_variances(raw[pool], df[pool])
    found = [optimum(f, v, d) for f, v, d in zip(fits, shrunk, shrunk_df, strict=True)]
    return without_floors(fits, found)


def optimum(fit: CurveFit, variance: float, df: float) -> Optimum:
    """Classify one depth's optimum. variance: of ln gamma*."""
    cells = fit.cells
    p = p_of_flat(fit)
    if p > FLAT_LEVEL:
        return no_optimum(cells.depth, cells.width,
                      f"the metric doesn't vary with γ beyond the noise (permutations within "
                      f"seeds: p = {number(p, 2)}; a curve needs p <= {FLAT_LEVEL:g})")  # fmt: skip
    low, high = fit.hull
    x, y = fit.drawn
    at = float(np.clip(fit.theta, low, high))
    best = float(fit.value(np.exp([at]))[0])
    y_s = fit.value(np.exp(x), fit.p_without)
    at_s = np.clip(fit.theta_without, low, high)
    best_s = fit.own_values(at_s)
    critical = stdtrit(max(df, 1), EDGE_LEVEL)
    noise = np.sqrt(np.maximum(fit.jackknife(y_s - best_s[:, None]), 0))
    above = (y - best) > np.maximum(critical * noise, FLAT)
    clear = critical * np.sqrt(variance)
    rises_right = bool(above[-1]) and fit.theta + clear < high
    rises_left = bool(above[0]) and fit.theta - clear > low
    if not above[0] and fit.theta > low and cells.gamma[0] == 0 and fit.form == "two_sided":
        zero = np.zeros(1)
        gap = fit.value(zero) - best
        gap_s = fit.value(zero, fit.p_without)[:, 0] - best_s
        rises_left = bool(gap[0] > max(critical * np.sqrt(fit.jackknife(gap_s)), FLAT))
    same = plateau_around(~above, int(np.argmin(np.abs(x - at))))
    common = dict(depth=cells.depth, width=cells.width, **plateau(fit, x, y, best))
    positive = np.log(cells.gamma[cells.positive & fit.keep])
    if rises_left and rises_right and np.isfinite(variance):
        half = stdtrit(max(df, 1), 0.5 + LEVEL / 2) * np.sqrt(variance)
        gamma, lo, hi = (float(np.exp(np.clip(v, -30, 30)))
                         for v in (fit.theta, fit.theta - half, fit.theta + half))  # fmt: skip
        return Optimum(kind="interior", gamma=gamma, low=lo, high=hi,
                       log_se=float(np.sqrt(variance)),
                       label=f"γ* = {number(gamma)} [{number(lo)}, {number(hi)}]", **common)  # fmt: skip
    log_se = float(np.sqrt(variance)) if np.isfinite(variance) else None
    if rises_left:
        bound = float(np.exp(min(x[same[0]], positive[-2])))
        return Optimum(kind="right", bound_low=bound, log_se=log_se,
                       label=f"no finite optimum seen: γ* > {number(bound)}", **common)  # fmt: skip
    if rises_right:
        bound = float(np.exp(max(x[same[1]], positive[1])))
        return Optimum(kind="left", bound_high=bound, log_se=log_se,
                       label=f"optimum at or below the grid: γ* < {number(bound)}", **common)  # fmt: skip
    return Optimum(kind="none", label="no optimum to be told from the noise", **common)


def p_of_flat(fit: CurveFit) -> float:
    """p of no variation between the gammas of a depth; 0 where there are no replicates to tell.

    Cells differ in their noise, so that F's p is none: it only says where the exact one is not
    worth its time.
    """
    cells = fit.cells
    mean, count = plain_means(fit.filled)
    there = count > 0
    if cells.weight is not None:
        count = (np.isfinite(fit.filled) * cells.weight).sum(0)
    if cells.noise_df < 1 or there.sum() < 2:
        return 0.0
    weight = count[there] / (cells.variance[there] / 2)  # Cells adds the typical variance once more
    away = mean[there] - np.average(mean[there], weights=weight)
    ratio = float((weight * away**2).sum() / (there.sum() - 1))
    rough = float(fdtrc(there.sum() - 1, cells.noise_df, ratio))
    return rough if rough < SURE else p_of_equal_columns(fit.filled)


def plateau_around(flat: np.ndarray, start: int) -> tuple[int, int]:
    """The ends of the run of True around `start`."""
    left = right = start
    while left > 0 and flat[left - 1]:
        left -= 1
    while right < len(flat) - 1 and flat[right + 1]:
        right += 1
    return left, right


def plateau(fit: CurveFit, x: np.ndarray, y: np.ndarray, best: float) -> dict[str, float]:
    """The gammas whose metric is within epsilon of the best, and that best."""
    ceiling = fit.cells.ceiling
    value, top = np.exp(y), np.exp(best)
    epsilon = PLATEAU * (ceiling - top) if ceiling is not None else PLATEAU * top
    epsilon = max(float(epsilon), 0.0)
    ends = plateau_around(value <= top + epsilon, int(np.argmin(value)))
    return {
        "plateau_low": float(np.exp(x[ends[0]])),
        "plateau_high": float(np.exp(x[ends[1]])),
        "epsilon": epsilon,
        "best": float(top),
    }


def no_optimum(depth: int, width: int, why: str) -> Optimum:
    """A depth that can't be fitted, and why."""
    return Optimum(depth=depth, width=width, kind="none", label=why)
