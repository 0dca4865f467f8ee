"""ln gamma* against ln N through the depths' optima: least squares over depths where all optima
are interior, normal maximum likelihood with interval-censored optima where some are not.

The variance of a depth is its own (jackknife) plus one between depths; the whole is scaled by
what the residuals show (Hartung-Knapp-Sidik-Jonkman) with K - p degrees of freedom, K counting
interior optima alone. A slope is refused with fewer than 3 of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.stats import norm
from scipy.stats import t as student

from analysis.laws.gamma_star.outcome import Optimum

LEAST_INTERIOR = 3


@dataclass(frozen=True)
class Points:
    """One row a depth. theta (K,): ln gamma*, NaN where censored; low, high (K,): its bounds."""

    depth: np.ndarray
    width: np.ndarray
    theta: np.ndarray
    se: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def interior(self) -> np.ndarray:
        """Which depths have an optimum, not a bound."""
        return np.isfinite(self.theta)

    def only(self, which: np.ndarray) -> Points:
        """A subset of the depths."""
        return Points(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def points_of(optima: list[Optimum]) -> Points:
    """Interior optima and bounds as arrays; depths without either are left out."""
    rows = []
    typical = [o.log_se for o in optima if o.kind == "interior" and o.log_se]
    for o in optima:
        if o.kind == "none":
            continue
        se = o.log_se or (float(np.median(typical)) if typical else 0.1)
        inside = o.kind == "interior"
        rows.append((
            o.depth, o.width, np.log(o.gamma) if inside else np.nan, max(se, 1e-4),
            np.log(o.bound_low) if o.bound_low else -np.inf,
            np.log(o.bound_high) if o.bound_high else np.inf,
        ))  # fmt: skip
    return Points(*np.array(rows, float).reshape(len(rows), 6).T)


@dataclass(frozen=True)
class Regression:
    """theta = design @ coefficients + offset. tau: between-depth SD; sigma2: the scale on se^2 +
    tau^2; log_likelihood at the maximum; df = interior - p."""

    coefficients: np.ndarray
    covariance: np.ndarray
    tau: float
    sigma2: float
    log_likelihood: float
    df: int
    variance: np.ndarray
    residual: np.ndarray


def power_design(points: Points) -> np.ndarray:
    """[1, -ln N] and -ln d where the widths vary: coefficients ln a, b (and c)."""
    return design_at(points.depth, points.width, np.ptp(points.width) > 0)


def design_at(depth: np.ndarray, width: np.ndarray, with_width: bool) -> np.ndarray:
    """The power law's design at given depths and widths."""
    columns = [np.ones(len(depth)), -np.log(depth)]
    return np.column_stack([*columns, -np.log(width)] if with_width else columns)


def between(theta, design, se) -> float:
    """Paule-Mandel between-depth variance: residuals then have mean square 1."""
    df = len(theta) - design.shape[1]
    if df < 1:
        return 0.0

    def excess(tau2: float) -> float:
        weight = 1 / (se**2 + tau2)
        return float((weight * weighted_residual(theta, design, weight) ** 2).sum() - df)

    if excess(0.0) <= 0:
        return 0.0
    top = 1.0
    while excess(top) > 0:
        top *= 10
    return float(brentq(excess, 0, top, xtol=1e-10))


def weighted_residual(theta, design, weight) -> np.ndarray:
    """Residuals of weighted least squares."""
    root = np.sqrt(weight)
    c = np.linalg.lstsq(design * root[:, None], theta * root, rcond=None)[0]
    return theta - design @ c


def regress(
    points: Points,
    design: np.ndarray,
    offset: np.ndarray | float = 0.0,
    tau2: float | None = None,
) -> Regression:
    """Fit theta = design @ c + offset; tau2 None: estimated. Needs interior >= design's columns."""
    inside = points.interior
    target = np.where(inside, points.theta, 0.0) - offset
    if tau2 is None:
        tau2 = between(target[inside], design[inside], points.se[inside])
    variance = points.se**2 + tau2
    p = design.shape[1]
    k = int(inside.sum())
    root = 1 / np.sqrt(variance[inside])
    scaled = design[inside] * root[:, None]
    c = np.linalg.lstsq(scaled, target[inside] * root, rcond=None)[0]
    residual = target - design @ c
    rss = float((residual[inside] ** 2 / variance[inside]).sum())
    sigma2 = max(rss / max(k, 1), 1e-12)
    low, high = points.low - offset, points.high - offset
    if not inside.all():
        best = minimize(
            lambda q: -likelihood(q, target, design, variance, inside, low, high),
            np.append(c, 0.5 * np.log(sigma2)), method="BFGS",
        )  # fmt: skip
        c, sigma2 = best.x[:-1], float(np.exp(2 * np.clip(best.x[-1], -20, 20)))
        residual = target - design @ c
    ll = likelihood(np.append(c, 0.5 * np.log(sigma2)), target, design, variance, inside, low, high)
    df = k - p
    scale = sigma2 * k / df if df > 0 else np.nan
    covariance = scale * np.linalg.pinv(scaled.T @ scaled)
    return Regression(c, covariance, float(np.sqrt(tau2)), scale, ll, df, variance,
                      np.where(inside, residual, np.nan))  # fmt: skip


def likelihood(q, target, design, variance, inside, low, high) -> float:
    """Log likelihood of interior (normal) and censored (normal interval) optima.
    q: coefficients, then ln sigma."""
    mean = design @ q[:-1]
    log_sd = np.clip(q[-1], -20, 20) + 0.5 * np.log(variance)
    sd = np.exp(log_sd)
    z = (target - mean) / sd
    normal = -log_sd - 0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    if inside.all():
        return float(normal.sum())
    above, below = np.isfinite(low), np.isfinite(high)
    z_low = np.where(above, (np.where(above, low, 0) - mean) / sd, -np.inf)
    z_high = np.where(below, (np.where(below, high, 0) - mean) / sd, np.inf)
    one_sided = np.where(below, norm.logcdf(z_high), norm.logsf(z_low))
    both = np.log(np.maximum(norm.cdf(z_high) - norm.cdf(z_low), 1e-300))
    return float(np.where(inside, normal, np.where(above & below, both, one_sided)).sum())


def interval(
    points: Points, design: np.ndarray, which: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Estimate and interval of one coefficient.

    All interior: estimate -/+ t(K - p) standard errors. With censored depths: the values whose
    profile deviance stays under k ln(1 + t^2/(k - p)), which is the same interval where nothing
    is censored (k interior optima).
    """
    fit = regress(points, design)
    estimate = float(fit.coefficients[which])
    if fit.df < 1:
        return estimate, -np.inf, np.inf
    reach = student.ppf(0.5 + level / 2, fit.df)
    step = float(np.sqrt(fit.covariance[which, which]))
    if points.interior.all():
        return estimate, estimate - reach * step, estimate + reach * step
    k = int(points.interior.sum())
    allowed = k * np.log1p(reach**2 / fit.df)
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
            else brentq(lambda v: excess(v), *sorted((estimate, estimate + side * width)), xtol=1e-4)
        )
    return estimate, float(ends[0]), float(ends[1])


def shifted(points: Points, by: float) -> Points:
    """The same optima in another unit (ln gamma moved by `by`)."""
    return replace(points, theta=points.theta + by, low=points.low + by, high=points.high + by)
