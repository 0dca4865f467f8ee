"""Least absolute deviations: polishing a smooth solution to the exact vertex, and proving it.

Guarantee: `polish` never raises the objective; it returns the optimality gap of the last linear
programme, the relative decrease that no small step can beat (0 at a true local optimum).
Source: sequential linear programming for ℓ1 (Osborne and Watson 1971).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from analysis.stats.losses import Loss
from analysis.stats.optimise import Model, objective


def polish(
    model: Model,
    theta: np.ndarray,
    log_y: np.ndarray,
    weight: np.ndarray,
    radius: float = 0.05,
    rounds: int = 40,
) -> tuple[np.ndarray, float, float]:
    """θ (p,) -> (θ, objective, gap). weight is (n,); radius bounds one step per coordinate."""
    lad = Loss("lad")
    value = float(objective(model, theta[None], log_y, weight, lad)[0])
    gap = np.inf
    for _ in range(rounds):
        log_f, jac, _ = model.derivatives(theta[None])
        step, promised = _linear_step(jac[0], log_y - log_f[0], weight, radius)
        gap = max(value - promised, 0.0) / max(value, 1e-300)
        if gap < 1e-10:
            break
        trial = theta + step
        new = float(objective(model, trial[None], log_y, weight, lad)[0])
        if new < value:
            theta, value = trial, new
            radius *= 2.0
        else:
            radius *= 0.25
    return theta, value, gap


def _linear_step(
    jac: np.ndarray, residual: np.ndarray, weight: np.ndarray, radius: float
) -> tuple[np.ndarray, float]:
    """argmin_d Σ w |r - J d| with |d| <= radius, as a linear programme; and its value."""
    n, p = jac.shape
    cost = np.concatenate([np.zeros(p), weight, weight])
    rows = np.concatenate([jac, np.eye(n), -np.eye(n)], axis=1)
    bounds = [(-radius, radius)] * p + [(0, None)] * (2 * n)
    answer = linprog(cost, A_eq=rows, b_eq=residual, bounds=bounds, method="highs")
    if not answer.success:
        return np.zeros(p), float(np.sum(weight * np.abs(residual)))
    return answer.x[:p], float(answer.fun)
