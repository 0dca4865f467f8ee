"""Many small nonlinear least-squares problems at once, each at its own minimum.

Levenberg-Marquardt in numpy over a batch: one call for all depths, starts and jackknife
replicates, where one scipy call each would take minutes on a table of thousands of runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Model = Callable[[np.ndarray], np.ndarray]


def minimise(
    model: Model,
    start: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    centre: np.ndarray,
    spread: np.ndarray,
    free: np.ndarray,
    steps: int = 60,
    tolerance: float = 1e-9,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise sum_n weight (y - model(p))^2 + sum_p ((p - centre)/spread)^2 for each of B problems.

    start, centre, spread (B, P); y, weight (B, n), weight 0 where missing; free (P,) bool.
    Returns p (B, P) and the objective (B,).
    """
    p = start.copy()
    columns = np.flatnonzero(free)
    root = np.sqrt(weight)
    y = np.where(weight > 0, y, 0.0)

    def residuals(q: np.ndarray) -> np.ndarray:
        r = root * (y - model(q))
        ridge = ((q - centre) / spread)[:, columns]
        return np.concatenate([r, ridge], axis=1)

    r = residuals(p)
    objective = (r * r).sum(1)
    damping = np.full(len(p), 1e-2)
    eye = np.eye(len(columns))
    for _ in range(steps):
        jacobian = np.empty((*r.shape, len(columns)))
        for j, column in enumerate(columns):
            moved = p.copy()
            moved[:, column] += 1e-6
            jacobian[:, :, j] = (residuals(moved) - r) / 1e-6
        gradient = np.einsum("bnj,bn->bj", jacobian, r)
        curvature = np.einsum("bnj,bnk->bjk", jacobian, jacobian)
        scale = np.einsum("bjj->bj", curvature)[:, :, None] * eye + 1e-12 * eye
        move = np.linalg.solve(curvature + damping[:, None, None] * scale, gradient[:, :, None])
        trial = p.copy()
        trial[:, columns] -= np.clip(move[:, :, 0], -2, 2)
        r_trial = residuals(trial)
        value = (r_trial * r_trial).sum(1)
        better = value < objective
        gained = np.where(better, objective - value, 0.0)
        p[better], r[better] = trial[better], r_trial[better]
        settled = better & (gained <= tolerance * (1 + objective))
        objective = np.where(better, value, objective)
        damping = np.clip(np.where(better, damping * 0.2, damping * 8), 1e-9, 1e9)
        if np.all(settled | (damping >= 1e6)):
            break
    return p, objective
