"""A line (or plane) through estimates that carry errors of their own, some of them only bounds: least
squares where all are estimates, normal maximum likelihood with interval-censored points elsewhere.

The variance of a point is its own plus one between points; the whole is scaled by what the
residuals show (Hartung-Knapp-Sidik-Jonkman), though never below LEAST_SCALE of what the points' own
errors say: points that happen to lie on a line are no precision. K - p degrees of freedom, K
counting estimates alone: a bound pulls the line and counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, stdtrit

# Simulated coverage of a slope at 5 and 8 points: .941-.956 without a floor, .949-.985 with this
# one, .955-.997 with a floor of 1 (docs/notebook.md, "scale floor").
LEAST_SCALE = 0.5
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Estimates:
    """K estimates or bounds. value (K,): NaN where only a bound is known; se (K,): of the value;
    low, high (K,): what a bounded one lies between (infinite where open)."""

    value: np.ndarray
    se: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def interior(self) -> np.ndarray:
        """Which are estimates, not bounds."""
        return np.isfinite(self.value)

    @property
    def side(self) -> np.ndarray:
        """0 for an estimate, +1 where the value is only known to be larger, -1 smaller."""
        return np.where(self.interior, 0, np.where(np.isfinite(self.low), 1, -1))

    @property
    def bound(self) -> np.ndarray:
        """The bound of a censored point (anything for an estimate)."""
        return np.where(self.side == 1, self.low, np.where(self.side == -1, self.high, 0.0))

    def only(self, which: np.ndarray) -> Self:
        """A subset of the points."""
        return type(self)(*(getattr(self, f.name)[which] for f in fields(self)))


@dataclass(frozen=True)
class Regression:
    """value = design @ coefficients + offset. tau: SD between points; sigma2: the scale on se^2 +
    tau^2, residual_scale the same without its floor; log_likelihood at the maximum;
    df = interior - p."""

    coefficients: np.ndarray
    covariance: np.ndarray
    tau: float
    sigma2: float
    residual_scale: float
    log_likelihood: float
    df: int
    variance: np.ndarray
    residual: np.ndarray

    def band(self, row: np.ndarray, level: float = 0.95, new: bool = False):
        """(low, high) of the line at design rows (n, p); of a new point there with new=True."""
        quantile = stdtrit(self.df, 0.5 + level / 2) if self.df > 0 else np.inf
        variance = np.einsum("ni,ij,nj->n", row, self.covariance, row)
        if new:
            variance = variance + self.sigma2 * float(np.median(self.variance))
        half = np.minimum(quantile * np.sqrt(variance), 50.0)
        centre = row @ self.coefficients
        return centre - half, centre + half


def regress(
    points: Estimates,
    design: np.ndarray,
    offset: np.ndarray | float = 0.0,
    tau2: float | None = None,
) -> Regression:
    """Fit value = design @ c + offset; tau2 None: estimated. Needs interior >= design's columns."""
    inside = points.interior
    target = np.where(inside, points.value, 0.0) - offset
    if tau2 is None:
        tau2 = between(target[inside], design[inside], points.se[inside])
    variance = points.se**2 + tau2
    p = design.shape[1]
    k = int(inside.sum())
    root = 1 / np.sqrt(variance[inside])
    scaled = design[inside] * root[:, None]
    side = points.side
    best = maximise(
        design, np.where(inside, target, points.bound - offset), np.sqrt(variance), side
    )
    c, sigma2, ll = best.coefficients, best.sigma**2, best.log_likelihood
    residual = target - design @ c
    df = k - p
    scale = max(sigma2 * k / df, LEAST_SCALE) if df > 0 else np.nan
    covariance = scale * np.linalg.pinv(scaled.T @ scaled)
    shown = sigma2 * k / df if df > 0 else np.nan
    return Regression(c, covariance, float(np.sqrt(tau2)), scale, shown, ll, df, variance,
                      np.where(inside, residual, np.nan))  # fmt: skip


def interval(
    points: Estimates, design: np.ndarray, which: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Estimate and interval of one coefficient.

    No bounds: estimate -/+ t(K - p) standard errors. With bounds: the values whose profile deviance
    stays under k ln(1 + t^2/(k - p)), which is the same interval where nothing is censored (k
    estimates). A bound counts for nothing in k: counted as half a point each, simulated intervals
    covered in .83-.93 instead of .93-.965.
    """
    fit = regress(points, design)
    estimate = float(fit.coefficients[which])
    if fit.df < 1:
        return estimate, -np.inf, np.inf
    quantile = float(stdtrit(fit.df, 0.5 + level / 2))
    step = float(np.sqrt(fit.covariance[which, which]))
    floored = np.sqrt(fit.sigma2 / max(fit.residual_scale, 1e-12))
    # points on a line to rounding have no profile to read an end off, only their own errors
    if points.interior.all() or fit.residual_scale < 1e-8:
        return estimate, estimate - quantile * step, estimate + quantile * step
    k = int(points.interior.sum())
    allowed = k * np.log1p(quantile**2 / fit.df)
    others = np.delete(design, which, axis=1)
    tau2 = fit.tau**2

    def excess(value: float) -> float:
        held = regress(points, others, offset=design[:, which] * value, tau2=tau2)
        return 2 * (fit.log_likelihood - held.log_likelihood) - allowed

    ends = []
    for side in (-1.0, 1.0):
        width = max(step, 1e-3)
        while excess(estimate + side * width) < 0 and width < 1e3:
            width *= 2
        ends.append(
            side * np.inf
            if width >= 1e3
            else brentq(excess, *sorted((estimate, estimate + side * width)), xtol=1e-4)
        )
    return estimate, *(float(estimate + floored * (end - estimate)) for end in ends)


def between(value, design, se) -> float:
    """Paule-Mandel between-point variance (Paule and Mandel 1982): residuals then have mean square 1."""
    df = len(value) - design.shape[1]
    if df < 1:
        return 0.0

    def excess(tau2: float) -> float:
        weight = 1 / (se**2 + tau2)
        return float((weight * weighted_residual(value, design, weight) ** 2).sum() - df)

    if excess(0.0) <= 0:
        return 0.0
    top = 1.0
    while excess(top) > 0:
        top *= 10
    return float(brentq(excess, 0, top, xtol=1e-10))


def weighted_residual(value, design, weight) -> np.ndarray:
    """Residuals of weighted least squares."""
    root = np.sqrt(weight)
    c = np.linalg.lstsq(design * root[:, None], value * root, rcond=None)[0]
    return value - design @ c


@dataclass(frozen=True)
class Maximum:
    """Coefficients (p,), the scale sigma on the given SDs, and the log likelihood."""

    coefficients: np.ndarray
    sigma: float
    log_likelihood: float


def terms(q, design, target, side):
    """Log likelihood and its first two derivatives along each point's z; q: (c / sigma, 1 / sigma).

    side (n,): 0 observed, +1 the true value is larger than target, -1 smaller.
    """
    z = q[-1] * target - design @ q[:-1]
    seen = side == 0
    away = -side * z  # log Phi(away) is a censored point's share
    log_share = log_ndtr(away)
    ratio = np.exp(np.clip(-0.5 * z**2 - HALF_LOG_2PI - log_share, -700, 700))
    value = np.where(seen, np.log(q[-1]) - 0.5 * z**2 - HALF_LOG_2PI, log_share)
    first = np.where(seen, -z, -side * ratio)
    second = np.where(seen, -1.0, -ratio * (ratio + away))
    return value, first, second


def maximise(design: np.ndarray, target: np.ndarray, sd: np.ndarray, side: np.ndarray) -> Maximum:
    """Fit target = design @ c + sigma * sd * normal; target (n,) is the bound where side is not 0.

    Needs at least one observed point more than columns for a finite sigma; sigma is held above
    1e-8 of the SDs.
    """
    x, y = design / sd[:, None], target / sd
    seen = side == 0
    count = int(seen.sum())
    c = np.linalg.lstsq(x[seen], y[seen], rcond=None)[0]
    rest = y[seen] - x[seen] @ c
    sigma = max(float(np.sqrt((rest**2).sum() / max(count, 1))), 1e-6)
    wide = max(sigma, float(np.std(y[seen])) / 3, 1e-3)
    q = np.append(c / wide, 1 / wide)
    pairs = np.column_stack([-x, y])
    value, first, second = terms(q, x, y, side)
    for _ in range(60):
        gradient = pairs.T @ first
        gradient[-1] += count / q[-1]
        curvature = (pairs * second[:, None]).T @ pairs
        curvature[-1, -1] -= count / q[-1] ** 2
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        scale = 1.0
        while scale > 1e-8:
            trial = q - scale * step
            if 0 < trial[-1] < 1e8:
                new = terms(trial, x, y, side)
                if new[0].sum() >= value.sum() - 1e-12:
                    break
            scale /= 2
        else:
            break
        gained = new[0].sum() - value.sum()
        q, (value, first, second) = trial, new
        if gained < 1e-10:
            break
    total = float(value.sum() - np.log(sd[seen]).sum())
    return Maximum(q[:-1] / q[-1], float(1 / q[-1]), total)
