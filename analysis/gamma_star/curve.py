"""The metric against gamma at one depth: three forms, each with its minimum as a parameter or
read off exactly.

`two_sided` (the primary): L = E + (C - E) sigma(u), u = psi(v) - h, v = ln((gamma + g0) /
(gamma* + g0)), psi(v) = ln((beta e^(-alpha v) + alpha e^(beta v)) / (alpha + beta)). psi has its
minimum 0 at v = 0, so the optimum is gamma* itself; alpha and beta are the skew; below g0 the
curve tends to the gamma = 0 arm. C is chance, fixed; without a ceiling L = exp(u).
`quadratic`, `cubic`: ln L as a polynomial in ln gamma, gamma > 0 alone.
"""

from __future__ import annotations

import numpy as np

from analysis.stats.minima import vertex

FORMS = ("two_sided", "quadratic", "cubic")
PRIMARY_FORM = "two_sided"
# theta = ln gamma*, ln alpha, ln beta, h, logit(E/C), ln g0
NAMES = ("theta", "log_alpha", "log_beta", "h", "logit_floor", "log_g0")
LOWEST = np.array([-14.0, -4.0, -4.0, -60.0, -30.0, -14.0])
HIGHEST = np.array([14.0, 3.0, 3.0, 60.0, 30.0, 8.0])
CUBIC_STEPS = 400


def two_sided(p: np.ndarray, gamma: np.ndarray, ceiling: np.ndarray | None) -> np.ndarray:
    """ln L of the two-sided form. p (B, 6), gamma (B, n) or (1, n), ceiling (B, 1) or None."""
    return with_slope(p, gamma, ceiling, slope=False)[0]


def with_slope(
    p: np.ndarray, gamma: np.ndarray, ceiling: np.ndarray | None, slope: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """ln L (B, n) and its derivatives by the parameters (B, n, 6)."""
    bounded = np.clip(p, LOWEST, HIGHEST)
    theta, log_alpha, log_beta, h, floor, log_g0 = (bounded[:, i : i + 1] for i in range(6))
    alpha, beta, g0, best = np.exp(log_alpha), np.exp(log_beta), np.exp(log_g0), np.exp(theta)
    v = np.log(gamma + g0) - np.log(best + g0)
    left, right = log_beta - alpha * v, log_alpha + beta * v
    psi = np.logaddexp(left, right)
    share_left = np.exp(left - psi)
    share_right = 1 - share_left
    u = psi - np.log(alpha + beta) - h
    if ceiling is None:
        value, by_u, by_floor = u, 1.0, np.zeros_like(u)
    else:
        low = 1 / (1 + np.exp(-floor))
        sigma = 1 / (1 + np.exp(-np.clip(u, -60, 60)))
        level = low + (1 - low) * sigma
        value = np.log(ceiling) + np.log(level)
        by_u = (1 - low) * sigma * (1 - sigma) / level
        by_floor = low * (1 - low) * (1 - sigma) / level
    if not slope:
        return value, np.empty(0)
    by_v = beta * share_right - alpha * share_left
    columns = (
        by_v * -best / (best + g0),
        share_right - alpha * v * share_left - alpha / (alpha + beta),
        share_left + beta * v * share_right - beta / (alpha + beta),
        -np.ones_like(v),
        by_v * (g0 / (gamma + g0) - g0 / (best + g0)),
    )
    u_slopes = [by_u * c for c in columns]
    return value, np.stack([*u_slopes[:4], by_floor, u_slopes[4]], axis=2)


def polynomial_minimum(c: np.ndarray, low: float, high: float) -> np.ndarray:
    """argmin on [low, high] of c[0] + c[1] x + ... for each row of c (B, d + 1)."""
    x = np.linspace(low, high, CUBIC_STEPS)
    values = np.polynomial.polynomial.polyval(x, c.T)
    best = np.argmin(values, axis=-1)
    inner = np.clip(best, 1, CUBIC_STEPS - 2)
    rows = np.arange(len(c))
    around = inner[:, None] + np.arange(-1, 2)
    return np.where(best == inner, vertex(x[around], values[rows[:, None], around]), x[best])
