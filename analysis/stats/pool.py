"""The mean of a few estimates with errors of their own, and its interval."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from analysis.stats.censored_line import Estimates, interval


def pooled(value: np.ndarray, se: np.ndarray, df: float) -> tuple[float, float, float]:
    """(mean, low, high) of value (K,): random effects, or the one value's own t interval with df."""
    if len(value) == 1:
        reach = float(stdtrit(max(df, 1), 0.975) * se[0])
        return float(value[0]), float(value[0] - reach), float(value[0] + reach)
    none = np.full(len(value), np.nan)
    return interval(Estimates(value, np.maximum(se, 1e-9), none, none), np.ones((len(value), 1)), 0)
