"""The best learning rate of each depth, from the least loss at each rate that was tuned."""

from __future__ import annotations

import numpy as np

from analysis.gamma_star.rate_surface import Surface

NEAR = 2  # rates to either side of the least that its parabola is fitted to
PAST = 1.0  # grid steps past the tuned rates at which a best rate may still be said to lie


def best_rates(surfaces: list[Surface]) -> dict[tuple[int, int], tuple[float, float, bool]]:
    """ln of the best rate, its SD and whether it lies past the tuned ones by (depth, width): the vertex of a parabola in ln lr through
    each depth's least losses, with one curvature for all depths. Depths whose vertex lies past the
    tuned rates by more than PAST grid steps are left out; all are, where no parabola has a minimum.
    """
    rows, target, weight, owner = [], [], [], []
    for k, s in enumerate(surfaces):
        near = np.abs(np.arange(len(s.log_lr)) - int(np.argmin(s.least))) <= NEAR
        x = s.log_lr[near] - s.log_lr[near].mean()
        rows += [(k, v) for v in x]
        target += list(s.least[near])
        weight += list(1 / np.maximum(spread_of(s)[near], 1e-12) ** 2)
        owner += [k] * len(x)
    count = len(surfaces)
    design = np.zeros((len(rows), 2 * count + 1))
    for i, (k, x) in enumerate(rows):
        design[i, k], design[i, count + k], design[i, -1] = 1.0, x, x**2
    root = np.sqrt(np.array(weight))
    x, z = design * root[:, None], np.array(target) * root
    inverse = np.linalg.pinv(x.T @ x)
    c = inverse @ (x.T @ z)
    df = len(z) - np.linalg.matrix_rank(x)
    if c[-1] <= 1e-9 or df < 1:
        return {}
    scale = max(float(((z - x @ c) ** 2).sum() / df), 0.25)
    out = {}
    for k, s in enumerate(surfaces):
        near = np.abs(np.arange(len(s.log_lr)) - int(np.argmin(s.least))) <= NEAR
        centre = s.log_lr[near].mean()
        vertex = -c[count + k] / (2 * c[-1])
        gradient = np.zeros(len(c))
        gradient[count + k], gradient[-1] = -1 / (2 * c[-1]), -vertex / c[-1]
        step = float(np.median(np.diff(s.log_lr)))
        low, high = s.log_lr[0] - PAST * step, s.log_lr[-1] + PAST * step
        if low <= centre + vertex <= high:
            sd = float(np.sqrt(scale * gradient @ inverse @ gradient))
            past = not s.log_lr[0] <= centre + vertex <= s.log_lr[-1]
            out[s.depth, s.width] = float(centre + vertex), sd, bool(past)
    return out


def spread_of(s: Surface) -> np.ndarray:
    """SD of each rate's least loss beyond what all rates of the depth share."""
    count = len(s.least)
    centring = np.eye(count) - 1 / count
    return np.sqrt(np.diag(centring @ s.covariance @ centring))
