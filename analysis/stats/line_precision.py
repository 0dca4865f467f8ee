"""The interval of a line's slope before there are data: the half-widths that `censored_line.interval`
would give, over draws of what the points' errors and the scatter between them may be.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from analysis.stats.censored_line import LEAST_SCALE

HALVINGS = 40


def slope_half_widths(
    x: np.ndarray, sd: np.ndarray, seen: np.ndarray, tau: float, draws: np.ndarray,
    level: float = 0.95,
) -> np.ndarray:  # fmt: skip
    """Half-widths (C, M) of the slope on x (K,) for C plans in M draws.

    sd (C, K): each point's own SD, infinite where a plan lacks it; seen (C, K): the one that it will
    be given (estimated, shrunk); tau: the SD between points; draws (M, K): standard normal. As in `regress` without bounds: Paule-Mandel variance between
    points, the scale of the residuals never below LEAST_SCALE, t with K - 2. Infinite with fewer
    than 3 points.
    """
    sd, seen = sd[:, None], seen[:, None]
    there = np.isfinite(sd)
    value = draws * np.sqrt(np.where(there, sd, 1.0) ** 2 + tau**2)
    own = np.where(there, seen, 1.0) ** 2
    count = there.sum(-1)  # (C, 1)
    df = count - 2

    def at(tau2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(weighted residual sum of squares, variance of the slope), (C, M)."""
        weight = np.where(there, 1 / (own + tau2[..., None]), 0.0)
        total = weight.sum(-1)
        away = x - ((weight * x).sum(-1) / total)[..., None]
        level_ = (weight * value).sum(-1) / total
        spread = (weight * away**2).sum(-1)
        slope = (weight * away * value).sum(-1) / np.where(spread > 0, spread, np.nan)
        rest = value - level_[..., None] - slope[..., None] * away
        return (weight * rest**2).sum(-1), 1 / spread

    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.zeros(value.shape[:-1])
        high = np.full(low.shape, 4.0 * np.max(np.where(there, value**2, 0.0)) + 1e-12)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            more = at(middle)[0] > df
            low, high = np.where(more, middle, low), np.where(more, high, middle)
        tau2 = np.where(at(np.zeros(low.shape))[0] > df, (low + high) / 2, 0.0)
        left, variance = at(tau2)
        scale = np.maximum(left / df, LEAST_SCALE)
        half = stdtrit(np.maximum(df, 1), 0.5 + level / 2) * np.sqrt(scale * variance)
    return np.where((df >= 1) & np.isfinite(half), half, np.inf)
