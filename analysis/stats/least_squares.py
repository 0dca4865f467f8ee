"""Many small nonlinear least-squares problems at once, each at its own minimum.

Levenberg-Marquardt in numpy over a batch: one call for all curves, starts and jackknife
replicates, where one scipy call each would take minutes on a table of thousands of runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# (parameters (b, P), rows (b,) of the batch) -> values (b, n), derivatives (b, n, P)
Model = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
LARGEST_DAMPING = 1e6


def minimise(
    model: Model,
    start: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    centre: np.ndarray,
    spread: np.ndarray,
    free: np.ndarray,
    steps: int = 60,
    tolerance: float = 1e-8,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise sum_n weight (y - model(p))^2 + sum_p ((p - centre)/spread)^2 for each of B problems.

    start, centre, spread (B, P); y, weight (B, n), weight 0 where missing; free (P,) bool.
    Returns p (B, P) and the objective (B,). A problem leaves the batch once a step gains less
    than `tolerance` of its objective.
    """
    p = start.copy()
    columns = np.flatnonzero(free)
    root = np.sqrt(weight)
    y = np.where(weight > 0, y, 0.0)
    precision = 1 / spread[:, columns] ** 2
    eye = np.eye(len(columns))

    def evaluate(q: np.ndarray, rows: np.ndarray):
        value, slope = model(q, rows)
        r = root[rows] * (y[rows] - value)
        pull = q[:, columns] - centre[rows][:, columns]
        objective = (r * r).sum(1) + (pull * pull * precision[rows]).sum(1)
        return r, slope, pull, objective

    rows = np.arange(len(p))
    r, slope, pull, objective = evaluate(p, rows)
    final = objective.copy()
    damping = np.full(len(p), 1e-2)
    for _ in range(steps):
        jacobian = root[rows][:, :, None] * slope[:, :, columns]
        transposed = np.swapaxes(jacobian, 1, 2)
        gradient = (transposed @ r[:, :, None])[:, :, 0] - pull * precision[rows]
        curvature = transposed @ jacobian + precision[rows][:, :, None] * eye
        scale = np.einsum("bjj->bj", curvature)[:, :, None] * eye
        move = np.linalg.solve(curvature + damping[:, None, None] * scale, gradient[:, :, None])
        trial = p[rows]
        trial[:, columns] += np.clip(move[:, :, 0], -2, 2)
        new = evaluate(trial, rows)
        better = new[3] < objective
        settled = better & (objective - new[3] <= tolerance * (1 + objective))
        p[rows[better]] = trial[better]
        r, slope, pull, objective = (
            np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)
            for a, b in zip(new, (r, slope, pull, objective), strict=True)
        )
        final[rows] = objective
        damping = np.clip(np.where(better, damping * 0.2, damping * 8), 1e-9, LARGEST_DAMPING)
        on = ~settled & (damping < LARGEST_DAMPING)
        if not on.any():
            break
        rows, damping = rows[on], damping[on]
        r, slope, pull, objective = r[on], slope[on], pull[on], objective[on]
    return p, final
