"""Numbers of one arm over seeds, each with a 95 % interval: the replicate is the seed."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
from scipy.special import log_ndtr
from scipy.stats import boschloo_exact
from scipy.stats import t as student

LEVEL = 0.95
LEAST_SPREAD = 0.05  # SD of ln steps: evaluations are a grid in time, equal steps are no precision
Interval = tuple[float | None, float | None, float | None]


def mean(values: np.ndarray) -> Interval:
    """Mean and its t interval over seeds; no interval for one seed."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None, None
    middle = float(values.mean())
    if len(values) < 2:
        return middle, None, None
    half = student.ppf(0.5 + LEVEL / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return middle, float(middle - half), float(middle + half)


def rate(hits: int, count: int) -> Interval:
    """A proportion with its Wilson interval."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(hits, count, method="wilson")
    return hits / count, float(low), float(high)


@lru_cache(maxsize=4096)
def rate_gap(hits: int, count: int, hits0: int, count0: int) -> dict[str, float]:
    """Difference of two proportions: Newcombe's interval, and Boschloo's exact p (two-sided)."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        low, high = confint_proportions_2indep(hits, count, hits0, count0, method="newcomb")
        exact = boschloo_exact([[hits, hits0], [count - hits, count0 - hits0]])
    p = 1.0 if not np.isfinite(exact.pvalue) else float(min(exact.pvalue, 1.0))
    return {"gap": hits / count - hits0 / count0, "low": float(low), "high": float(high), "p": p}


def p_of_mean(values: np.ndarray) -> float | None:
    """Two-sided p of a mean of 0 (t over seeds)."""
    values = values[np.isfinite(values)]
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    if spread <= 0:
        return None
    return float(
        2 * student.sf(abs(values.mean()) / spread * np.sqrt(len(values)), len(values) - 1)
    )


def median_steps(steps: np.ndarray, budget: np.ndarray) -> Interval:
    """Median of right-censored steps (NaN: not solved within budget (n,)) under a log-normal law.

    Profile likelihood, calibrated so that without censoring it is the t interval. A median or an
    end past the budget is None: it was not seen.
    """
    solved = np.isfinite(steps)
    seen, limit = int(solved.sum()), float(np.log(budget.max()))
    if seen < 2 < len(steps) or not seen:
        return None, float(budget.max()), None
    y = np.log(np.where(solved, steps, budget))
    if seen < 2:
        return (float(steps[0]) if len(steps) == 1 else None), None, None
    centre, width = float(y[solved].mean()), max(float(y.std()), LEAST_SPREAD)
    mu = np.linspace(centre - 8 * width, max(limit, centre) + 8 * width, 600)[:, None, None]
    sd = np.geomspace(max(width / 8, LEAST_SPREAD), width * 30, 80)[None, :, None]
    z = (y - mu) / sd
    fit = np.where(solved, -0.5 * z**2 - np.log(sd), log_ndtr(-z)).sum(2).max(1)
    count = len(steps)
    critical = student.ppf(0.5 + LEVEL / 2, count - 1)
    inside = 2 * (fit.max() - fit) <= count * np.log1p(critical**2 / (count - 1))
    ends = mu[:, 0, 0][inside]
    found = [float(mu[int(np.argmax(fit)), 0, 0]), float(ends[0]), float(ends[-1])]
    middle, low, high = (float(np.exp(v)) if v <= limit + 1e-9 else None for v in found)
    return middle, float(budget.max()) if low is None else low, high
