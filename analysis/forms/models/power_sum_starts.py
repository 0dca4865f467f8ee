"""Starts for sums of powers: a grid over the exponents, the linear rest by non-negative LS.

Guarantee: the starts are read off the whole grid of exponents, rising and falling alike, so that
no published answer and no single basin is assumed. Given the exponents, E and A_k >= 0 minimise
the relative squared error exactly: every subset of active terms is solved and the best feasible
one taken (variable projection, Golub and Pereyra 1973).
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np

from analysis.forms.models.power_sum import PowerSum
from analysis.stats.losses import Loss
from analysis.stats.optimise import objective

ROWS = 3000  # the search reads at most this many rows; the polish reads all


def exponent_grid(terms: int) -> np.ndarray:
    """Exponents tried per term: log-spaced, falling (α > 0) denser than rising (α < 0)."""
    fine, coarse = {1: (40, 20), 2: (30, 8)}.get(terms, (14, 4))
    rising = -np.geomspace(0.03, 2.0, coarse)[::-1]
    return np.concatenate([rising, np.geomspace(0.015, 4.0, fine)])


def starts(
    model: PowerSum, log_y: np.ndarray, loss: Loss, count: int = 8, seed: int = 0
) -> np.ndarray:
    """The `count` best local minima of the grid, as θ (count', p); at least one row."""
    rows = _sample(log_y.size, seed)
    small = PowerSum(model.z[rows], model.floor)
    log_y = log_y[rows]
    theta, shape = _grid_solutions(small, log_y)
    value = np.concatenate(
        [
            objective(small, chunk, log_y, np.ones(log_y.size), loss)
            for chunk in np.array_split(theta, max(1, theta.shape[0] * log_y.size // 400_000))
        ]
    )
    order = [i for i in np.argsort(value) if np.isfinite(value[i])]
    local = [i for i in order if _is_local_minimum(value, shape, i)]
    chosen = (local + [i for i in order[:count] if i not in local])[:count]
    return theta[chosen]


def _sample(n: int, seed: int) -> np.ndarray:
    if n <= ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, ROWS, replace=False))


def _grid_solutions(model: PowerSum, log_y: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """θ for every node of the exponent grid, (G^K, p), and the grid's shape."""
    terms = model.z.shape[1]
    grid = exponent_grid(terms)
    exponent = -grid[:, None, None] * model.z.T[None]  # (G, K, n)
    lift = exponent.max(axis=2)
    columns = np.exp(exponent - lift[..., None] - (log_y - log_y.mean()))
    ones = np.exp(-(log_y - log_y.mean()))
    nodes = np.array(list(product(range(grid.size), repeat=terms)))
    width = terms + int(model.floor)
    gram = np.zeros((nodes.shape[0], width, width))
    right = np.zeros((nodes.shape[0], width))
    first = int(model.floor)
    if model.floor:
        gram[:, 0, 0], right[:, 0] = ones @ ones, ones.sum()
    for k in range(terms):
        i = first + k
        right[:, i] = columns[:, k].sum(axis=1)[nodes[:, k]]
        gram[:, i, i] = (columns[:, k] ** 2).sum(axis=1)[nodes[:, k]]
        if model.floor:
            gram[:, 0, i] = gram[:, i, 0] = (columns[:, k] @ ones)[nodes[:, k]]
        for other in range(k):
            cross = columns[:, k] @ columns[:, other].T
            gram[:, i, first + other] = cross[nodes[:, k], nodes[:, other]]
            gram[:, first + other, i] = gram[:, i, first + other]
    best = nonnegative(gram, right)
    # a term that NNLS switched off starts small, not at zero: its logarithm has to exist
    # `ones` is 1/(y / geometric mean), so coefficients come out in units of that mean
    shift = log_y.mean()
    least = 1e-4
    theta = np.empty((nodes.shape[0], model.size))
    if model.floor:
        theta[:, 0] = np.log(np.maximum(best[:, 0], least)) + shift
    for k in range(terms):
        i = first + 2 * k
        raised = np.maximum(best[:, first + k], least)
        theta[:, i] = np.log(raised) + shift - lift[nodes[:, k], k]
        theta[:, i + 1] = grid[nodes[:, k]]
    return theta, (grid.size,) * terms


def nonnegative(gram: np.ndarray, right: np.ndarray) -> np.ndarray:
    """argmin_{c >= 0} cᵀGc/2 - rᵀc for a batch: G (M, k, k), r (M, k) -> c (M, k)."""
    size = right.shape[1]
    best = np.zeros_like(right)
    lowest = np.zeros(right.shape[0])
    for count in range(1, size + 1):
        for chosen in combinations(range(size), count):
            part = np.ix_(range(right.shape[0]), chosen, chosen)
            sub = gram[part]
            ridge = 1e-12 * np.trace(sub, axis1=1, axis2=2)[:, None, None] * np.eye(count)
            answer = np.linalg.solve(sub + ridge, right[:, chosen, None])[..., 0]
            value = -0.5 * np.sum(answer * right[:, chosen], axis=1)
            wins = (answer >= 0).all(axis=1) & (value < lowest)
            lowest = np.where(wins, value, lowest)
            full = np.zeros_like(right)
            full[:, chosen] = answer
            best[wins] = full[wins]
    return best


def _is_local_minimum(value: np.ndarray, shape: tuple[int, ...], index: int) -> bool:
    table = value.reshape(shape)
    at = np.unravel_index(index, shape)
    for axis in range(len(shape)):
        for move in (-1, 1):
            near = list(at)
            near[axis] += move
            if 0 <= near[axis] < shape[axis] and table[tuple(near)] < value[index]:
                return False
    return True
