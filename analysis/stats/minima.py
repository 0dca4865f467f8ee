"""Where smooth curves have their minima, from a few noisy points on each, without a form.

Guarantee: the minimum's spread includes both the noise of the points and what lies between them;
a minimum that may lie at or beyond the last point is reported as a bound, not as a number.

Model: each curve is a cubic smoothing spline, i.e. an integrated Wiener process with a free line
(Wahba 1978); its roughness and the noise are shared by all curves and estimated by restricted
maximum likelihood, so that noise-free points are interpolated and noisy ones smoothed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

EDGE = 0.05  # a chance of the minimum lying at an end above this makes it a bound
GRID = 160


@dataclass(frozen=True)
class Minimum:
    """The minimum of one curve. kind: "interior" | "left" | "right" | "none" (no dip at all).

    x: the argmin (interior), sd its standard deviation; bound: the end it may lie beyond;
    y: the curve there. grid (G,), mean (G,), spread (G,): the smoothed curve, for drawing.
    """

    kind: str
    x: float | None
    sd: float | None
    bound: float | None
    y: float
    grid: np.ndarray
    mean: np.ndarray
    spread: np.ndarray


def minima(
    curves: list[tuple[np.ndarray, np.ndarray]], draws: int = 600, seed: int = 0
) -> tuple[list[Minimum], dict[str, float]]:
    """curves: (x, y) per curve, each with at least 3 distinct x. Also {"roughness", "noise"}:
    the shared variance rates, noise as a standard deviation of y."""
    prepared = [_centre(x, y) for x, y in curves]
    roughness, noise = _hyperparameters(prepared)
    random = np.random.default_rng(seed)
    found = [_minimum(x, y, roughness, noise, draws, random) for x, y in prepared]
    shifted = [_shift(m, float(np.min(x))) for m, (x, _) in zip(found, curves, strict=True)]
    return shifted, {"roughness": float(np.sqrt(roughness)), "noise": float(np.sqrt(noise))}


def _centre(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(x, kind="stable")
    return (x[order] - x.min()), y[order]


def _shift(m: Minimum, left: float) -> Minimum:
    move = lambda v: None if v is None else v + left
    return Minimum(m.kind, move(m.x), m.sd, move(m.bound), m.y, m.grid + left, m.mean, m.spread)


def _kernel(s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Covariance of the once integrated Wiener process started at 0."""
    low = np.minimum(s[:, None], t[None])
    return low**3 / 3 + np.abs(s[:, None] - t[None]) * low**2 / 2


def _hyperparameters(curves) -> tuple[float, float]:
    """(roughness, noise) variances by REML over all curves, free line per curve."""
    scale = max(float(np.median([np.ptp(y) for _, y in curves])), 1e-12)

    def cost(theta: np.ndarray) -> float:
        roughness, noise = np.exp(theta)
        total = 0.0
        for x, y in curves:
            basis = np.stack([np.ones_like(x), x], axis=1)
            cov = roughness * _kernel(x, x) + (noise + 1e-10 * scale**2) * np.eye(x.size)
            factor = cho_factor(cov, lower=True)
            inner = basis.T @ cho_solve(factor, basis)
            right = basis.T @ cho_solve(factor, y)
            line = np.linalg.solve(inner, right)
            rest = y - basis @ line
            total += np.sum(np.log(np.diag(factor[0]))) + 0.5 * np.linalg.slogdet(inner)[1]
            total += 0.5 * float(rest @ cho_solve(factor, rest))
        return total

    best = None
    for start in (1e-2, 1e-4, 1e-7):  # noise from large to none: REML can have two optima
        begin = np.log([scale**2, start * scale**2])
        bounds = [(begin[0] - 14, begin[0] + 10), (np.log(1e-10 * scale**2), np.log(scale**2))]
        try:
            found = minimize(cost, begin, method="L-BFGS-B", bounds=bounds)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
    if best is None:
        raise np.linalg.LinAlgError("no smoothing could be estimated")
    roughness, noise = np.exp(best.x)
    return float(roughness), float(noise)


def _minimum(x, y, roughness, noise, draws, random) -> Minimum:
    # a fine grid over the points' range, with the points' own places in it
    grid = np.unique(np.concatenate([np.linspace(0, x.max(), GRID), x]))
    basis, design = np.stack([np.ones_like(x), x], 1), np.stack([np.ones_like(grid), grid], 1)
    cov = roughness * _kernel(x, x) + max(noise, 1e-12 * np.ptp(y) ** 2) * np.eye(x.size)
    factor = cho_factor(cov, lower=True)
    cross = roughness * _kernel(grid, x)
    gain = cho_solve(factor, cross.T).T
    inner = basis.T @ cho_solve(factor, basis)
    line = np.linalg.solve(inner, basis.T @ cho_solve(factor, y))
    rest = design - gain @ basis
    mean = design @ line + gain @ (y - basis @ line)
    posterior = roughness * _kernel(grid, grid) - gain @ cross.T
    posterior += rest @ np.linalg.solve(inner, rest.T)
    spread = np.sqrt(np.maximum(np.diag(posterior), 0))
    eig, vec = np.linalg.eigh(posterior)
    root = vec * np.sqrt(np.maximum(eig, 0))
    sample = mean + random.standard_normal((draws, grid.size)) @ root.T
    where = grid[np.argmin(sample, axis=1)]
    at = int(np.argmin(mean))
    left = float(np.mean(where <= grid[0]))
    right = float(np.mean(where >= grid[-1]))
    extra = (grid, mean, spread)
    if left > EDGE and right > EDGE:
        return Minimum("none", None, None, None, float(mean[at]), *extra)
    if left > EDGE or at == 0:
        return Minimum(
            "left", None, None, float(np.quantile(where, 0.975)), float(mean[at]), *extra
        )
    if right > EDGE or at == grid.size - 1:
        return Minimum(
            "right", None, None, float(np.quantile(where, 0.025)), float(mean[at]), *extra
        )
    return Minimum(
        "interior",
        float(vertex(grid[at - 1 : at + 2], mean[at - 1 : at + 2])),
        float(np.std(where)),
        None,
        float(mean[at]),
        *extra,
    )


def vertex(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where the parabola through three points x, y (..., 3), x ascending, has its minimum; the middle
    one where it bends down, never outside the three."""
    left, right = x[..., 0] - x[..., 1], x[..., 2] - x[..., 1]
    down, up = y[..., 0] - y[..., 1], y[..., 2] - y[..., 1]
    bend = (down / left - up / right) / (left - right)
    slope = down / left - bend * left
    move = np.where(bend > 0, -slope / np.where(bend > 0, 2 * bend, 1.0), 0.0)
    return x[..., 1] + np.clip(move, left, right)
