"""ln gamma* against ln N through the depths' optima: least squares over depths where all optima
are interior, normal maximum likelihood with interval-censored optima where some are not.

The variance of a depth is its own (jackknife) plus one between depths; the whole is scaled by
what the residuals show (Hartung-Knapp-Sidik-Jonkman), though never below LEAST_SCALE of what the
jackknife says: optima that happen to lie on a line are no precision. K - p degrees of freedom,
K counting interior optima alone. A slope is refused with fewer than 3 of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

from analysis.laws.gamma_star.censored import maximise
from analysis.laws.gamma_star.outcome import Optimum

LEAST_INTERIOR = 3
# Simulated coverage of b at 5 and 8 depths: .941-.956 without a floor, .949-.985 with this one,
# .955-.997 with a floor of 1 (docs/notebook.md, "scale floor").
LEAST_SCALE = 0.5


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

    @property
    def side(self) -> np.ndarray:
        """0 for an optimum, +1 where gamma* is only known to be larger, -1 smaller."""
        return np.where(self.interior, 0, np.where(np.isfinite(self.low), 1, -1))

    @property
    def bound(self) -> np.ndarray:
        """The bound of a censored depth (anything for an interior one)."""
        return np.where(self.side == 1, self.low, np.where(self.side == -1, self.high, 0.0))

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
    points: Points, design: np.ndarray, which: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Estimate and interval of one coefficient.

    All interior: estimate -/+ t(K - p) standard errors. With censored depths: the values whose
    profile deviance stays under k ln(1 + t^2/(k - p)), which is the same interval where nothing
    is censored (k interior optima). Censored depths count for nothing in k: counted as half a
    depth each, simulated intervals covered in .83-.93 instead of .93-.965.
    """
    fit = regress(points, design)
    estimate = float(fit.coefficients[which])
    if fit.df < 1:
        return estimate, -np.inf, np.inf
    reach = float(stdtrit(fit.df, 0.5 + level / 2))
    step = float(np.sqrt(fit.covariance[which, which]))
    floored = np.sqrt(fit.sigma2 / max(fit.residual_scale, 1e-12))
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
            else brentq(excess, *sorted((estimate, estimate + side * width)), xtol=1e-4)
        )
    return estimate, *(float(estimate + floored * (end - estimate)) for end in ends)
