"""Each point of a censored line predicted from the points before it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from analysis.stats.censored_line import Estimates, regress


@dataclass(frozen=True)
class Step:
    """A point predicted: its number, prediction with the interval of a new point, what was seen less
    the prediction, and whether the interval holds it."""

    at: int
    predicted: float
    low: float
    high: float
    error: float
    inside: bool


def roll_out(
    points: Estimates, design: np.ndarray, order: np.ndarray, least: int = 3, level: float = 0.95
) -> list[Step]:
    """The steps, ascending in order (K,): points that are estimates, each predicted from those of
    smaller `order`, of which `least` are estimates and the design has full rank."""
    found = []
    for i in np.argsort(order, kind="stable"):
        below = order < order[i] - 1e-12
        rest, rows = points.only(below), design[below]
        inside = rest.interior
        if not points.interior[i] or inside.sum() < max(least, design.shape[1] + 1):
            continue
        if np.linalg.matrix_rank(rows[inside]) < design.shape[1]:
            continue
        fit = regress(rest, rows)
        centre = float(design[i] @ fit.coefficients)
        # the point's own error and what lies between points, as the rest shows it
        own = max(fit.sigma2 * (points.se[i] ** 2 + fit.tau**2), points.se[i] ** 2)
        half = float(
            stdtrit(fit.df, 0.5 + level / 2) * np.sqrt(design[i] @ fit.covariance @ design[i] + own)
        )
        error = float(points.value[i] - centre)
        found.append(Step(int(i), centre, centre - half, centre + half, error, abs(error) <= half))
    return found
