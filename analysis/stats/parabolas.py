"""Where curves have their minima by a parabola each: the published way, right where curves are parabolas.

Guarantee: whether they are is tested (a cubic term, over all curves); a vertex that may lie beyond
the points is a bound, as in `minima`.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.stats.minima import EDGE, GRID, Minimum


def parabolas(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list[Minimum], dict]:
    """curves: (x, ln y) per curve, y fitted, at least 4 distinct x each. Also {"noise": relative SD
    of y, "cubic": p of a cubic term or None}."""
    fits = [_fitted(x, np.exp(log_y), 2) for x, log_y in curves]
    spare = sum(x.size - 3 for x, _ in curves)
    rest = sum(f[2] for f in fits)
    variance = rest / max(spare, 1)
    noise = np.sqrt(variance) / np.mean([np.exp(y).mean() for _, y in curves])
    found = [_vertex(x, f, variance) for (x, _), f in zip(curves, fits, strict=True)]
    return found, {"noise": float(noise), "cubic": _cubic(curves, rest)}


def _fitted(x: np.ndarray, y: np.ndarray, degree: int):
    """(coefficients in x - mean, lowest power first; their (XᵀX)⁻¹; sum of squares left)."""
    design = np.vander(x - x.mean(), degree + 1, increasing=True)
    c = np.linalg.lstsq(design, y, rcond=None)[0]
    return c, np.linalg.pinv(design.T @ design), float(np.sum((y - design @ c) ** 2))


def _cubic(curves, rest: float) -> float | None:
    """p of an F test of one cubic term a curve."""
    able = [(x, np.exp(y)) for x, y in curves if np.unique(x).size > 4]
    spare = sum(x.size - 4 for x, _ in able)
    if spare < 1:
        return None
    with_it = sum(_fitted(x, y, 3)[2] for x, y in able)
    without = sum(_fitted(x, y, 2)[2] for x, y in able)
    ratio = (without - with_it) / len(able) / max(with_it / spare, 1e-300)
    return float(stats.f.sf(ratio, len(able), spare))


def _vertex(x: np.ndarray, fit, variance: float) -> Minimum:
    (c0, c1, c2), inverse, _ = fit
    grid = np.linspace(x.min(), x.max(), GRID)
    row = np.vander(grid - x.mean(), 3, increasing=True)
    mean = np.maximum(row @ np.array([c0, c1, c2]), 1e-300)
    spread = np.sqrt(variance * np.einsum("gi,ij,gj->g", row, inverse, row)) / mean
    extra = (float(np.log(mean.min())), grid, np.log(mean), spread)
    if c2 <= 0:
        right = mean[-1] < mean[0]
        return Minimum(
            "right" if right else "left", None, None, float(grid[-1 if right else 0]), *extra
        )
    at = x.mean() - c1 / (2 * c2)
    slope = np.array([0.0, -1 / (2 * c2), c1 / (2 * c2**2)])
    sd = float(np.sqrt(variance * slope @ inverse @ slope)) + 1e-12
    if stats.norm.cdf((x.min() - at) / sd) > EDGE:
        return Minimum("left", None, None, float(max(at + 1.96 * sd, x.min())), *extra)
    if stats.norm.cdf((at - x.max()) / sd) > EDGE:
        return Minimum("right", None, None, float(min(at - 1.96 * sd, x.max())), *extra)
    return Minimum("interior", float(at), sd, None, *extra)
