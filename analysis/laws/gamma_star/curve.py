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

FORMS = ("two_sided", "quadratic", "cubic")
# theta = ln gamma*, ln alpha, ln beta, h, logit(E/C), ln g0
NAMES = ("theta", "log_alpha", "log_beta", "h", "logit_floor", "log_g0")
CUBIC_STEPS = 400


def two_sided(p: np.ndarray, gamma: np.ndarray, ceiling: np.ndarray | None) -> np.ndarray:
    """ln L of the two-sided form. p (B, 6), gamma (B, n) or (n,), ceiling (B, 1) or None."""
    theta, log_alpha, log_beta, h, floor, log_g0 = (p[:, i : i + 1] for i in range(6))
    alpha, beta = np.exp(np.clip(log_alpha, -4, 3)), np.exp(np.clip(log_beta, -4, 3))
    g0 = np.exp(np.clip(log_g0, -14, 8))
    v = np.log(gamma + g0) - np.log(np.exp(np.clip(theta, -14, 14)) + g0)
    psi = np.logaddexp(np.log(beta) - alpha * v, np.log(alpha) + beta * v) - np.log(alpha + beta)
    u = psi - h
    if ceiling is None:
        return u
    share = 1 / (1 + np.exp(-np.clip(floor, -30, 30)))
    sigma = 1 / (1 + np.exp(-np.clip(u, -40, 40)))
    return np.log(ceiling) + np.log(share + (1 - share) * sigma)


def polynomial_minimum(c: np.ndarray, low: float, high: float) -> np.ndarray:
    """argmin on [low, high] of c[0] + c[1] x + ... for each row of c (B, d + 1)."""
    x = np.linspace(low, high, CUBIC_STEPS)
    values = np.polynomial.polynomial.polyval(x, c.T)
    best = np.argmin(values, axis=-1)
    inner = np.clip(best, 1, CUBIC_STEPS - 2)
    rows = np.arange(len(c))
    left, mid, right = (values[rows, inner + k] for k in (-1, 0, 1))
    bend = left - 2 * mid + right
    shift = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1), 0.0)
    step = x[1] - x[0]
    return np.where(best == inner, x[inner] + step * np.clip(shift, -1, 1), x[best])
