"""Textbook tests and 95 % intervals over replicates: means, differences, proportions, medians of
censored times, and Holm's adjustment. The library's own wherever it has one.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
from scipy import stats
from scipy.special import log_ndtr

LEVEL = 0.95
LEAST_SPREAD = 0.05  # SD of ln steps: evaluations are a grid in time, equal steps are no precision
Interval = tuple[float | None, float | None, float | None]


def mean(values: np.ndarray) -> Interval:
    """Mean and its t interval; no interval for one value."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None, None
    middle = float(values.mean())
    if len(values) < 2:
        return middle, None, None
    return middle, *ends(stats.ttest_1samp, values, 0.0)


def difference(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """Welch's interval of mean(x) - mean(y); None without two values a side and any spread."""
    if min(len(x), len(y)) < 2 or not np.ptp(x) + np.ptp(y) > 0:
        return None
    return ends(stats.ttest_ind, x, y, equal_var=False)


def ends(test, *samples, **options) -> tuple[float, float]:
    """The interval of one of scipy's t tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # samples that (nearly) agree: the interval says it
        found = test(*samples, **options).confidence_interval(LEVEL)
    return float(found.low), float(found.high)


def p_of_mean(values: np.ndarray) -> float | None:
    """Two-sided p of a mean of 0; None without two values that differ."""
    values = values[np.isfinite(values)]
    if len(values) < 2 or not np.ptp(values) > 0:
        return None
    return float(stats.ttest_1samp(values, 0.0).pvalue)


def p_of_equal_columns(y: np.ndarray, draws: int = 1999, seed: int = 0) -> float:
    """p that the columns of y (S, G), NaN where absent, differ in nothing: the spread of their means
    against permutations within each row (exact whatever the rows' levels and scales)."""
    random = np.random.default_rng(seed)
    there = np.isfinite(y)
    level = np.nansum(y, 1, keepdims=True) / np.maximum(there.sum(1, keepdims=True), 1)
    rest = np.where(there, y - level, 0.0)
    count = there.sum(0)
    total = rest.sum(0)
    shuffled = np.zeros((draws, y.shape[1]))
    for row, mine in zip(rest, there, strict=True):
        shuffled[:, mine] += random.permuted(np.tile(row[mine], (draws, 1)), axis=1)
    some = count > 0
    seen = float((total[some] ** 2 / count[some]).sum())
    null = (shuffled[:, some] ** 2 / count[some]).sum(1)
    return (float(np.sum(null >= seen * (1 - 1e-12))) + 1) / (draws + 1)


def proportion(hits: int, count: int) -> Interval:
    """A proportion with its Wilson interval."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(hits, count, method="wilson")
    return hits / count, float(low), float(high)


@lru_cache(maxsize=4096)
def proportion_gap(hits: int, count: int, hits0: int, count0: int) -> dict[str, float]:
    """Difference of two proportions: Newcombe's interval, and Boschloo's exact p (two-sided)."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        low, high = confint_proportions_2indep(hits, count, hits0, count0, method="newcomb")
        exact = stats.boschloo_exact([[hits, hits0], [count - hits, count0 - hits0]])
    p = 1.0 if not np.isfinite(exact.pvalue) else float(min(exact.pvalue, 1.0))
    return {"gap": hits / count - hits0 / count0, "low": float(low), "high": float(high), "p": p}


def median_time(times: np.ndarray, budget: np.ndarray) -> Interval:
    """Median of right-censored times (NaN: not solved within budget (n,)) under a log-normal law.

    Profile likelihood, calibrated so that without censoring it is the t interval. A median or an
    end past the budget is None: it was not seen.
    """
    solved = np.isfinite(times)
    seen, limit = int(solved.sum()), float(np.log(budget.max()))
    if seen < 2 < len(times) or not seen:
        return None, float(budget.max()), None
    y = np.log(np.where(solved, times, budget))
    if seen < 2:
        return (float(times[0]) if len(times) == 1 else None), None, None
    centre, width = float(y[solved].mean()), max(float(y.std()), LEAST_SPREAD)
    mu = np.linspace(centre - 8 * width, max(limit, centre) + 8 * width, 600)[:, None, None]
    sd = np.geomspace(max(width / 8, LEAST_SPREAD), width * 30, 80)[None, :, None]
    z = (y - mu) / sd
    fit = np.where(solved, -0.5 * z**2 - np.log(sd), log_ndtr(-z)).sum(2).max(1)
    count = len(times)
    critical = stats.t.ppf(0.5 + LEVEL / 2, count - 1)
    inside = 2 * (fit.max() - fit) <= count * np.log1p(critical**2 / (count - 1))
    ends = mu[:, 0, 0][inside]
    found = [float(mu[int(np.argmax(fit)), 0, 0]), float(ends[0]), float(ends[-1])]
    middle, low, high = (float(np.exp(v)) if v <= limit + 1e-9 else None for v in found)
    return middle, float(budget.max()) if low is None else low, high


def holm(p: list[float]) -> list[float]:
    """p adjusted for their number (Holm 1979), in the order given.

    statsmodels' `multipletests` gives the same numbers and collects garbage at each call (.07 s); a
    table of many contrasts needs dozens.
    """
    order = np.argsort(p)
    raised = np.asarray(p)[order] * np.arange(len(p), 0, -1)
    out = np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(v) for v in out]
