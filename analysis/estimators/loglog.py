"""A line through estimates that carry errors of their own, some of them only bounds.

Guarantee: the slope's interval includes scatter between the points beyond their own errors
(random effects, REML) and has K-2 degrees of freedom (Hartung-Knapp-Sidik-Jonkman); points known
only as bounds enter as such (interval censoring) and are never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats


@dataclass(frozen=True)
class Line:
    """y = intercept + slope·x. covariance (2, 2) of (intercept, slope); degrees: of freedom;
    scatter: SD of the points about the line beyond their own errors."""

    intercept: float
    slope: float
    covariance: np.ndarray
    degrees: int
    scatter: float

    def interval(self, at: np.ndarray | float, level: float, new: bool = False):
        """(low, high) of the line at x (of a new point there, with new=True)."""
        x = np.atleast_1d(np.asarray(at, float))
        design = np.stack([np.ones_like(x), x], axis=1)
        variance = np.einsum("ij,jk,ik->i", design, self.covariance, design)
        half = stats.t.ppf(0.5 + level / 2, self.degrees) * np.sqrt(
            variance + (self.scatter**2 if new else 0.0)
        )
        centre = design @ np.array([self.intercept, self.slope])
        return centre - half, centre + half

    def slope_interval(self, level: float) -> tuple[float, float]:
        half = stats.t.ppf(0.5 + level / 2, self.degrees) * np.sqrt(self.covariance[1, 1])
        return self.slope - half, self.slope + half


def random_effects(x: np.ndarray, y: np.ndarray, sd: np.ndarray) -> Line:
    """Weighted line through y ± sd (K >= 3) with between-point scatter by REML and HKSJ errors."""
    design = np.stack([np.ones_like(x), x], axis=1)

    def parts(scatter2):
        weight = 1 / (sd**2 + scatter2)
        inner = design.T @ (design * weight[:, None])
        beta = np.linalg.solve(inner, design.T @ (weight * y))
        return weight, inner, beta

    spread = max(float(np.var(y - design @ np.linalg.lstsq(design, y, rcond=None)[0])), 1e-16)

    def cost(log_scatter2):
        weight, inner, beta = parts(np.exp(log_scatter2))
        rest = y - design @ beta
        return 0.5 * (weight @ rest**2 - np.log(weight).sum() + np.linalg.slogdet(inner)[1])

    found = optimize.minimize_scalar(
        cost, bounds=(np.log(spread) - 14, np.log(spread) + 4), method="bounded"
    )
    scatter2 = float(np.exp(found.x))
    if cost(np.log(1e-14 * spread)) <= found.fun:
        scatter2 = 0.0
    weight, inner, beta = parts(scatter2)
    degrees = x.size - 2
    rest = y - design @ beta
    # HKSJ's factor. A spline's stated errors are wide (simulated: over twice too wide at 8
    # budgets), so that points straighter than they tell count, but for a factor 2 at most.
    factor = max(float(weight @ rest**2) / degrees, 0.25)
    return Line(
        float(beta[0]),
        float(beta[1]),
        np.linalg.inv(inner) * factor,
        degrees,
        float(np.sqrt(scatter2)),
    )


def censored(x: np.ndarray, y: np.ndarray, sd: np.ndarray, side: np.ndarray) -> Line:
    """As `random_effects` where side is 0; where it is -1 (+1) y is an upper (lower) bound.

    Maximum likelihood of a line with scatter; the variance is raised by K/(K-2) for the two
    coefficients and the interval uses as many degrees of freedom as measured points less 2.
    """
    exact = side == 0
    start = random_effects(x[exact], y[exact], sd[exact])
    if exact.all():
        return start
    centre = x.mean()

    def cost(theta):
        a, b, log_scatter = theta
        line = a + b * (x - centre)
        size = np.sqrt(sd**2 + np.exp(2 * log_scatter))
        u = (y - line) / size
        total = np.sum(0.5 * u[exact] ** 2 + np.log(size[exact]))
        total -= np.sum(stats.norm.logcdf(np.where(side < 0, u, -u)[~exact]))
        return total

    begin = np.array(
        [start.intercept + start.slope * centre, start.slope, np.log(max(start.scatter, 0.02))]
    )
    bounds = [(None, None), (None, None), (np.log(1e-3), np.log(10.0))]
    found = optimize.minimize(cost, begin, method="L-BFGS-B", bounds=bounds)
    hessian = _hessian(lambda ab: cost([ab[0], ab[1], found.x[2]]), found.x[:2])
    measured = int(exact.sum())
    covariance = np.linalg.inv(hessian) * measured / max(measured - 2, 1)
    turn = np.array([[1.0, -centre], [0.0, 1.0]])
    return Line(
        float(found.x[0] - found.x[1] * centre),
        float(found.x[1]),
        turn @ covariance @ turn.T,
        max(measured - 2, 1),
        float(np.exp(found.x[2])),
    )


def _hessian(function, at: np.ndarray, step: float = 1e-3) -> np.ndarray:
    size = at.size
    out = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            e, f = np.eye(size)[i] * step, np.eye(size)[j] * step
            out[i, j] = (
                function(at + e + f)
                - function(at + e - f)
                - function(at - e + f)
                + function(at - e - f)
            ) / (4 * step**2)
    return out
