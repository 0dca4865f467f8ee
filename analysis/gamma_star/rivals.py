"""Other laws through the same optima, fitted as the power law is and compared by AICc.

Not nested: exponential in N, a step at N = 1, equal total dose (of softmax log gain, and of tap
angle). Nested, judged by interval and not by criterion: b = 0, b = 1, an offset.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import t as student

from analysis.gamma_star.depth_law import Points, design_at
from analysis.gamma_star.records import RivalFit
from analysis.stats.censored_line import Regression, regress
from analysis.stats.least_squares import minimise

NEEDED = 4.0  # AICc by which the power law must beat each rival
OFFSETS = np.concatenate([-np.geomspace(8, 0.02, 40), [0.0], np.linspace(0.01, 0.99, 80)])


def aicc(log_likelihood: float, parameters: int, points: int) -> float | None:
    """Small-sample AIC; None where there are too few points for one. The scale counts as one."""
    m = parameters + 1
    if points - m - 1 <= 0:
        return None
    return -2 * log_likelihood + 2 * m + 2 * m * (m + 1) / (points - m - 1)


def dose_gain(log_k: float, depth: np.ndarray) -> np.ndarray:
    """ln gamma where N ln((1 + gamma)^2 + gamma^2) = k: the softmax scale adding up over layers."""
    growth = np.exp(np.minimum(np.exp(log_k) / depth, 600))
    return np.log(np.maximum((np.sqrt(2 * growth - 1) - 1) / 2, 1e-12))


def dose_angle(log_k: float, depth: np.ndarray) -> np.ndarray:
    """ln gamma where N phi = k, tan phi = gamma / (1 + gamma) < 1: equal total tap angle."""
    tangent = np.tan(np.minimum(np.exp(log_k) / depth, np.pi / 4 - 1e-6))
    return np.log(np.maximum(tangent / (1 - tangent), 1e-12))


def rivals(points: Points, law: Regression) -> list[RivalFit]:
    """Every rival that these depths allow, against the power law `law` of the same points."""
    n, p = len(points.depth), len(law.coefficients)
    own = aicc(law.log_likelihood, p, n)
    grid = np.geomspace(points.depth.min(), points.depth.max(), 60)
    wide = np.full(60, float(np.median(points.width)))
    several = p > 2
    found = []

    def linear(name: str, column: Callable[[np.ndarray], np.ndarray], description: str) -> None:
        def design(depth, width):
            full = design_at(depth, width, several)
            full[:, 1] = column(depth)
            return full

        fit = regress(points, design(points.depth, points.width), tau2=law.tau**2)
        curve = np.exp(design(grid, wide) @ fit.coefficients)
        named = {"ln_a": float(fit.coefficients[0]), "slope": float(fit.coefficients[1])}
        found.append(
            rival(name, own, aicc(fit.log_likelihood, p, n), grid, curve, named, description)
        )

    linear("exponential", lambda d: -d, "gamma* = a e^(-cN)")
    if (points.depth == 1).any() and (points.depth > 1).any():
        linear("step", lambda d: (d < 1.5) * 1.0, "one gamma* at N = 1, another beyond")
    if not several:
        for name, dose, description in (
            ("equal_dose_gain", dose_gain, "N ln((1+gamma)^2+gamma^2) constant: softmax scale"),
            ("equal_dose_angle", dose_angle, "N phi constant: total tap angle"),
        ):
            log_k, ll = fit_dose(points, law, dose)
            named = {"k": float(np.exp(log_k))}
            curve = np.exp(dose(log_k, grid))
            found.append(rival(name, own, aicc(ll, 1, n), grid, curve, named, description))
    return found


def rival(name, own, other, grid, curve, parameters, description) -> RivalFit:
    """A rival's record; positive delta: it is worse than the power law."""
    delta = None if own is None or other is None else float(other - own)
    return RivalFit(name, False, delta, grid, curve, parameters,
                    delta is not None and delta >= NEEDED, description)  # fmt: skip


def fit_dose(points: Points, law: Regression, dose) -> tuple[float, float]:
    """Maximum likelihood of a one-parameter rival: ln k and the log likelihood."""
    inside = points.interior
    target = np.where(inside, points.value, 0.0)
    none = np.zeros((len(target), 0))

    def loss(log_k: float) -> float:
        return -regress(points, none, offset=dose(log_k, points.depth),
                        tau2=law.tau**2).log_likelihood  # fmt: skip

    def spread(log_k: float) -> float:
        r = (target - dose(log_k, points.depth))[inside] / np.sqrt(law.variance[inside])
        return float(np.mean(r**2))

    tries = np.linspace(-6, 6, 241)
    start = tries[int(np.argmin([spread(k) for k in tries]))]
    best = minimize_scalar(loss, bounds=(start - 0.5, start + 0.5), method="bounded")
    return float(best.x), -float(best.fun)


def offset_interval(points: Points, law: Regression, level: float = 0.95) -> dict | None:
    """gamma* = c + a N^-b over interior depths: c as a share of the law's gamma* at the deepest.

    Profile over c with K - 3 degrees of freedom. None with fewer than 4 interior depths. An end
    that the data don't bound is None.
    """
    p = points.only(points.interior)
    df = len(p.value) - 3
    if df < 1 or len(law.coefficients) > 2:
        return None
    deepest = float(np.exp(law.coefficients @ np.array([1.0, -np.log(p.depth.max())])))
    shares = OFFSETS[OFFSETS * deepest < np.exp(p.value).max()]
    c = (shares * deepest)[:, None]
    log_n = np.log(p.depth)[None, :]
    count = len(shares)

    def model(q: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grown = np.exp(np.clip(q[:, :1] - q[:, 1:2] * log_n, -30, 30))
        total = np.maximum(c[rows] + grown, 1e-9)
        share = grown / total
        return np.log(total), np.stack([share, -share * log_n], axis=2)

    start = np.tile(law.coefficients[:2], (count, 1))
    start[:, 0] = np.log(np.maximum(np.exp(start[:, 0]) - c[:, 0], 1e-3))
    weight = np.tile(1 / law.variance[points.interior], (count, 1))
    _, rss = minimise(model, start, np.tile(p.value, (count, 1)), weight, np.zeros((count, 2)),
                      np.full((count, 2), 1e3), np.ones(2, bool), steps=80)  # fmt: skip
    allowed = rss.min() * (1 + student.ppf(0.5 + level / 2, df) ** 2 / df)
    inside = np.flatnonzero(rss <= allowed)
    low, high = shares[inside[0]], shares[inside[-1]]
    zero = float(rss[np.argmin(np.abs(shares))])
    return {
        "share": float(shares[rss.argmin()]),
        "low": None if inside[0] == 0 else float(low),
        "high": None if inside[-1] == count - 1 else float(high),
        "c": float(shares[rss.argmin()] * deepest),
        "zero_inside": bool(zero <= allowed),
    }
