"""The best filter over the tap angle phi, taps (1 + gamma, -gamma) in proportion to (cos phi, -sin phi):
low-pass below 0, plain attention at 0, the shear up to 45 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from analysis.gamma_star.cells import FORM_ERROR, Cells, plain_means
from analysis.gamma_star.curve import polynomial_minimum
from analysis.stats.pool import pooled
from analysis.stats.shrinkage import shrink_variances

LEAST_ANGLES = 5
WINDOW = 45.0  # degrees to either side of the best cell
EDGE_LEVEL = 0.90  # one-sided, for each end of the grid


@dataclass(frozen=True)
class Angle:
    """The best tap angle in degrees over all depths; depths: each one's, or "left", "right" where it
    lies at or past the grid's end, "none" where the curve has no dip."""

    estimate: float
    low: float
    high: float
    depths: dict[str, float | str]


def tap_angle(gamma: np.ndarray) -> np.ndarray:
    """phi in degrees, rising with gamma from -135 to 45; gamma = tan phi / (1 - tan phi)."""
    gamma = np.asarray(gamma, float)
    return np.degrees(np.arctan2(gamma, 1 + gamma))


def gamma_at(phi: float) -> float:
    """gamma at a tap angle in degrees."""
    return float(np.sin(np.radians(phi)) / (np.cos(np.radians(phi)) - np.sin(np.radians(phi))))


def angle_of(columns: list[tuple[Cells, np.ndarray]]) -> Angle | None:
    """The best tap angle: a cubic in phi about each depth's best cell, jackknife over seeds; pooled
    over the depths whose minimum lies inside. None where fewer than half do, unless most of them lie
    past one end."""
    names, value, variance, df, ends = [], [], [], [], []
    for cells, zero in columns:
        y, phi, noise = cells.y, tap_angle(cells.gamma), cells.variance
        if not (cells.gamma == 0).any() and np.isfinite(zero).any():
            y, phi = np.column_stack([y, zero]), np.append(phi, 0.0)
            noise = np.append(noise, np.median(noise))
        there = np.isfinite(y).any(0)
        if there.sum() >= LEAST_ANGLES and len(y) > 1:
            at, without = vertices(y[:, there], phi[there], noise[there])
            count = len(without)
            names.append(f"depth {cells.depth}, width {cells.width}")
            value.append(at)
            variance.append((count - 1) / count * ((without - without.mean()) ** 2).sum())
            df.append(count - 1)
            ends.append((phi[there].min(), phi[there].max()))
    if not names:
        return None
    shrunk, shrunk_df = shrink_variances(np.maximum(variance, 1e-6), np.array(df))
    at, se = np.array(value), np.sqrt(np.nan_to_num(shrunk, nan=1e6))
    clear = stdtrit(np.maximum(shrunk_df, 1), EDGE_LEVEL) * se
    low, high = np.array(ends).T
    right, left = at + clear >= high, at - clear <= low
    kind = np.select([left & right, left, right], ["none", "left", "right"], "interior")
    inside = kind == "interior"
    depths = {n: float(v) if k == "interior" else str(k)
              for n, v, k in zip(names, at, kind, strict=True)}  # fmt: skip
    if inside.sum() >= max(len(at) / 2, 1):
        return Angle(*pooled(at[inside], se[inside], float(shrunk_df.min())), depths)
    if left.sum() > len(at) / 2 and not (left & right).any():
        return Angle(float(np.median(low)), -135.0, float(np.median(low)), depths)
    if right.sum() > len(at) / 2 and not (left & right).any():
        return Angle(float(np.median(high)), float(np.median(high)), 45.0, depths)
    return None


def vertices(y: np.ndarray, phi: np.ndarray, noise: np.ndarray) -> tuple[float, np.ndarray]:
    """The best angle of y (S, A) at phi (A,), and with each seed left out (S,)."""
    replicates = [y, *(np.delete(y, s, axis=0) for s in range(len(y)))]
    means = np.array([plain_means(r)[0] for r in replicates])
    away = np.abs(phi - phi[int(np.argmin(means[0]))])
    near = away <= max(WINDOW, np.sort(away)[LEAST_ANGLES - 1])
    x = phi[near] / WINDOW
    rise = FORM_ERROR * (means[0] - means[0].min())
    weight = 1 / (noise / len(y) + rise**2)[near]
    design = x[:, None] ** np.arange(4)
    found = []
    for mean in means:
        root = np.sqrt(np.where(np.isfinite(mean[near]), weight, 0.0))
        c = np.linalg.lstsq(design * root[:, None], np.nan_to_num(mean[near]) * root, rcond=None)[0]
        found.append(WINDOW * polynomial_minimum(c[None], x.min(), x.max())[0])
    return float(found[0]), np.array(found[1:])
