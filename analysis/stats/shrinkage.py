"""Variances of few degrees of freedom, pulled to their common value as far as they agree.

Smyth (2004), "Linear models and empirical Bayes methods", section 6.2: the prior's size d0 is
estimated from how much the log variances scatter beyond what their own df explain.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

LARGEST_PRIOR = 50.0


def shrink_variances(variance: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """variance (K,), df (K,) -> shrunk variance (K,) and its df (K,).

    Entries with df 0 or no finite positive variance take the common value. With nothing to learn
    from, NaN.
    """
    variance, df = np.asarray(variance, float), np.asarray(df, float)
    known = np.isfinite(variance) & (variance > 0) & (df > 0)
    if not known.any():
        return np.full(len(variance), np.nan), np.zeros(len(variance))
    d = df[known]
    e = np.log(variance[known]) - digamma(d / 2) + np.log(d / 2)
    excess = (e.var(ddof=1) if known.sum() > 1 else 0.0) - float(np.mean(polygamma(1, d / 2)))
    prior = prior_size(excess)
    common = np.exp(e.mean() + digamma(prior / 2) - np.log(prior / 2))
    own = np.where(known, variance, 0.0)
    own_df = np.where(known, df, 0.0)
    shrunk = (prior * common + own_df * own) / (prior + own_df)
    return shrunk, np.minimum(prior + own_df, d.sum())


def prior_size(excess: float) -> float:
    """The prior's degrees of freedom where the log variances differ by `excess` (a variance) of their
    own."""
    if excess <= polygamma(1, LARGEST_PRIOR / 2):
        return LARGEST_PRIOR
    return 2 * brentq(lambda h: polygamma(1, h) - excess, 1e-3, LARGEST_PRIOR / 2)


def expected_shrunk(variance: np.ndarray, df: np.ndarray) -> np.ndarray:
    """What `shrink_variances` makes of estimates of known variances (K,) with df (K,), about: their
    own spread decides the prior."""
    log_v = np.log(variance)
    prior = prior_size(float(log_v.var(ddof=1)) if len(log_v) > 1 else 0.0)
    common = np.exp(log_v.mean() + digamma(prior / 2) - np.log(prior / 2))
    return (prior * common + df * variance) / (prior + df)
