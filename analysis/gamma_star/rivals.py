"""Other laws through the same optima, fitted as the power law is and compared by AICc.

Not nested: exponential in N, a step at N = 1, equal total dose (of softmax log gain, and of tap
angle). Nested, judged by interval and not by criterion: b = 0, b = 1, an offset.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import stdtrit

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

    linear("exponential", lambda d: -d, "γ* = a e^(-cN)")
    if (points.depth == 1).any() and (points.depth > 1).any():
        linear("step", lambda d: (d < 1.5) * 1.0, "one γ* at N = 1, another beyond")
    for name, dose, description in (
        ("equal_dose_gain", dose_gain, "N ln((1+γ)^2+γ^2) constant: softmax scale"),
        ("equal_dose_angle", dose_angle, "N φ constant: total tap angle"),
    ):
        log_k, per_width, ll = fit_dose(points, law, dose)
        named = {"k": float(np.exp(log_k))}
        if several:
            named["width_exponent"] = per_width
            description += " at each width"
        curve = np.exp(dose(log_k, grid))
        found.append(rival(name, own, aicc(ll, p - 1, n), grid, curve, named, description))
    return found


def rival(name, own, other, grid, curve, parameters, description) -> RivalFit:
    """A rival's record; positive delta: it is worse than the power law."""
    delta = None if own is None or other is None else float(other - own)
    return RivalFit(name, False, delta, grid, curve, parameters,
                    delta is not None and delta >= NEEDED, description)  # fmt: skip


def fit_dose(points: Points, law: Regression, dose) -> tuple[float, float, float]:
    """Maximum likelihood of a dose k, with several widths k w^-c: ln k at the median width, c (0 with
    one width) and the log likelihood."""
    inside = points.interior
    target = np.where(inside, points.value, 0.0)
    none = np.zeros((len(target), 0))
    several = len(law.coefficients) > 2
    wide = np.log(points.width / np.median(points.width)) if several else np.zeros(len(target))

    def at(log_k: float, c: float) -> np.ndarray:
        return dose(log_k - c * wide, points.depth)

    def loss(log_k: float, c: float) -> float:
        return -regress(points, none, offset=at(log_k, c), tau2=law.tau**2).log_likelihood

    def spread(log_k: float, c: float) -> float:
        r = (target - at(log_k, c))[inside] / np.sqrt(law.variance[inside])
        return float(np.mean(r**2))

    first = float(law.coefficients[2]) if several else 0.0
    tries = np.linspace(-6, 6, 241)
    start = tries[int(np.argmin([spread(k, first) for k in tries]))]
    if not several:
        best = minimize_scalar(lambda k: loss(k, 0.0), bounds=(start - 0.5, start + 0.5),
                               method="bounded")  # fmt: skip
        return float(best.x), 0.0, -float(best.fun)
    best = minimize(lambda q: loss(*q), [start, first], method="Nelder-Mead",
                    options={"xatol": 1e-3, "fatol": 1e-4})  # fmt: skip
    return float(best.x[0]), float(best.x[1]), -float(best.fun)


def offset_interval(points: Points, law: Regression, level: float = 0.95) -> dict | None:
    """gamma* = c + a N^-b (w^-c') over interior depths: c as a share of the law's gamma* at the
    deepest, where that is least.

    Profile over c with K - 3 degrees of freedom (K - 4 with several widths). None without any. An
    end that the data don't bound is None.
    """
    p = points.only(points.interior)
    terms = len(law.coefficients)
    df = len(p.value) - terms - 1
    if df < 1:
        return None
    design = design_at(p.depth, p.width, terms > 2)
    lowest = (design @ law.coefficients)[p.depth == p.depth.max()].min()
    deepest = float(np.exp(lowest))
    shares = OFFSETS[OFFSETS * deepest < np.exp(p.value).max()]
    c = (shares * deepest)[:, None]
    count = len(shares)

    def model(q: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grown = np.exp(np.clip(q @ design.T, -30, 30))
        total = np.maximum(c[rows] + grown, 1e-9)
        return np.log(total), (grown / total)[:, :, None] * design

    start = np.tile(law.coefficients, (count, 1))
    start[:, 0] = np.log(np.maximum(np.exp(start[:, 0]) - c[:, 0], 1e-3))
    weight = np.tile(1 / law.variance[points.interior], (count, 1))
    _, rss = minimise(model, start, np.tile(p.value, (count, 1)), weight, np.zeros((count, terms)),
                      np.full((count, terms), 1e3), np.ones(terms, bool), steps=80)  # fmt: skip
    allowed = rss.min() * (1 + stdtrit(df, 0.5 + level / 2) ** 2 / df)
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
