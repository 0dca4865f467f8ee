"""Normal regression with one-sided censored points, at its only maximum.

In (coefficients / sigma, 1 / sigma) the log likelihood is concave (Olsen 1978), so Newton's
method with step halving finds the maximum from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Maximum:
    """Coefficients (p,), the scale sigma on the given SDs, and the log likelihood."""

    coefficients: np.ndarray
    sigma: float
    log_likelihood: float


def terms(q, design, target, side):
    """Log likelihood and its first two derivatives along each point's z; q: (c / sigma, 1 / sigma).

    side (n,): 0 observed, +1 the true value is larger than target, -1 smaller.
    """
    z = q[-1] * target - design @ q[:-1]
    seen = side == 0
    away = -side * z  # log Phi(away) is a censored point's share
    log_share = log_ndtr(away)
    ratio = np.exp(np.clip(-0.5 * z**2 - HALF_LOG_2PI - log_share, -700, 700))
    value = np.where(seen, np.log(q[-1]) - 0.5 * z**2 - HALF_LOG_2PI, log_share)
    first = np.where(seen, -z, -side * ratio)
    second = np.where(seen, -1.0, -ratio * (ratio + away))
    return value, first, second


def maximise(design: np.ndarray, target: np.ndarray, sd: np.ndarray, side: np.ndarray) -> Maximum:
    """Fit target = design @ c + sigma * sd * normal; target (n,) is the bound where side is not 0.

    Needs at least one observed point more than columns for a finite sigma; sigma is held above
    1e-8 of the SDs.
    """
    x, y = design / sd[:, None], target / sd
    seen = side == 0
    count = int(seen.sum())
    c = np.linalg.lstsq(x[seen], y[seen], rcond=None)[0]
    rest = y[seen] - x[seen] @ c
    sigma = max(float(np.sqrt((rest**2).sum() / max(count, 1))), 1e-6)
    wide = max(sigma, float(np.std(y[seen])) / 3, 1e-3)
    q = np.append(c / wide, 1 / wide)
    pairs = np.column_stack([-x, y])
    value, first, second = terms(q, x, y, side)
    for _ in range(60):
        gradient = pairs.T @ first
        gradient[-1] += count / q[-1]
        curvature = (pairs * second[:, None]).T @ pairs
        curvature[-1, -1] -= count / q[-1] ** 2
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        scale = 1.0
        while scale > 1e-8:
            trial = q - scale * step
            if 0 < trial[-1] < 1e8:
                new = terms(trial, x, y, side)
                if new[0].sum() >= value.sum() - 1e-12:
                    break
            scale /= 2
        else:
            break
        gained = new[0].sum() - value.sum()
        q, (value, first, second) = trial, new
        if gained < 1e-10:
            break
    total = float(value.sum() - np.log(sd[seen]).sum())
    return Maximum(q[:-1] / q[-1], float(1 / q[-1]), total)
