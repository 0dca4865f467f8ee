"""Optima carried to another learning rate, and b of them: what the move costs in precision is in its
interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from analysis.gamma_star.depth_law import LEAST_INTERIOR, Points, power_design
from analysis.stats.censored_line import interval
from analysis.text import number


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        """0.72 [0.66, 0.78]."""
        return f"{number(self.estimate, 2)} [{number(self.low, 2)}, {number(self.high, 2)}]"

    @property
    def ends(self) -> tuple[float, float, float]:
        """Estimate, low, high."""
        return self.estimate, self.low, self.high

    def holds(self, value: float) -> bool:
        """Whether the interval holds a value."""
        return self.low <= value <= self.high


def shifted(points: Points, by: np.ndarray, sd: np.ndarray | float) -> Points:
    """Points moved by a known amount with an SD of its own."""
    return replace(points, value=points.value + by, low=points.low + by, high=points.high + by,
                   se=np.hypot(points.se, sd))  # fmt: skip


def slope(points: Points) -> Estimate | None:
    """b of a set of points; None where it isn't bounded."""
    if points.interior.sum() < LEAST_INTERIOR:
        return None
    estimate, low, high = interval(points, power_design(points), 1)
    if not np.isfinite([low, high]).all():
        return None
    return Estimate(estimate, low, high)


def carried(points: Points, by: np.ndarray, sd: np.ndarray | float, lever: np.ndarray,
            e_sd: float, df: int, tilt: float) -> Estimate | None:  # fmt: skip
    """b of the points moved by e x lever. What e's own error does is common to all depths: it moves
    b by the lever's slope on ln N; that, and the form's tilt, join the half-width in quadrature."""
    moved = shifted(points, by, sd)
    b = slope(moved)
    if b is None:
        return None
    inside = moved.interior
    design = power_design(moved)[inside]
    root = 1 / moved.se[inside]
    turn = np.linalg.lstsq(design * root[:, None], lever[inside] * root, rcond=None)[0][1]
    more = float(stdtrit(df, 0.975) * np.hypot(e_sd * turn, tilt)) if df > 0 else np.inf
    return Estimate(b.estimate, b.estimate - float(np.hypot(b.estimate - b.low, more)),
                    b.estimate + float(np.hypot(b.high - b.estimate, more)))  # fmt: skip
