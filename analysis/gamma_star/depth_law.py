"""b and its interval: ln gamma* against ln N through the depths' optima, those at the grid's edge as
bounds. `parameters` gives a, b (and the width's c); the estimator is `stats.censored_line`.

A slope is refused with fewer than 3 interior optima.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import fdtrc, stdtr

from analysis.gamma_star.records import DepthLine, Optimum
from analysis.stats.censored_line import Estimates, Regression, interval, regress
from analysis.tables.laws_json import Parameter
from analysis.tables.published import GAMMA_STAR

LEAST_INTERIOR = 3


@dataclass(frozen=True)
class Points(Estimates):
    """One row a depth: ln gamma* or its bounds, at depth (K,) and width (K,)."""

    depth: np.ndarray
    width: np.ndarray


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
            np.log(o.gamma) if inside else np.nan, max(se, 1e-4),
            np.log(o.bound_low) if o.bound_low else -np.inf,
            np.log(o.bound_high) if o.bound_high else np.inf, o.depth, o.width,
        ))  # fmt: skip
    return Points(*np.array(rows, float).reshape(len(rows), 6).T)


def power_design(points: Points) -> np.ndarray:
    """[1, -ln N] and -ln d where the widths vary: coefficients ln a, b (and c)."""
    return design_at(points.depth, points.width, np.ptp(points.width) > 0)


def design_at(depth: np.ndarray, width: np.ndarray, with_width: bool) -> np.ndarray:
    """The power law's design at given depths and widths."""
    columns = [np.ones(len(depth)), -np.log(depth)]
    return np.column_stack([*columns, -np.log(width)] if with_width else columns)


def enough(points: Points) -> bool:
    """Whether a slope may be given: 3 interior optima at 3 depths, and a design of full rank."""
    inside = points.interior
    if inside.sum() < LEAST_INTERIOR or len(set(points.depth[inside])) < LEAST_INTERIOR:
        return False
    design = power_design(points)[inside]
    return bool(np.linalg.matrix_rank(design) == design.shape[1] and len(design) > design.shape[1])


def parameters(points: Points, design: np.ndarray) -> dict[str, Parameter]:
    """a, b (and c, the width's exponent) with intervals."""
    out = {}
    for i, name in enumerate(("a", "b", "c")[: design.shape[1]]):
        value, low, high = interval(points, design, i)
        if name == "a":
            value, low, high = (float(np.exp(np.clip(v, -700, 700))) for v in (value, low, high))
        out[name] = bounded(value, low, high)
    return out


def bounded(value: float, low: float, high: float) -> Parameter:
    """A parameter with the ends that the data bound."""
    told = bool(np.isfinite(low)), bool(np.isfinite(high) and high < 1e300)
    return Parameter(value, low if told[0] else None, high if told[1] else None, all(told))


def p_of_zero(points: Points, law: Regression, design: np.ndarray) -> float | None:
    """p of b = 0, by the test whose inversion is b's interval."""
    if law.df < 1:
        return None
    if points.interior.all():
        t = law.coefficients[1] / np.sqrt(law.covariance[1, 1])
        return float(2 * stdtr(law.df, -abs(t)))
    held = regress(points, np.delete(design, 1, axis=1), tau2=law.tau**2)
    k = int(points.interior.sum())
    gap = max(2 * (law.log_likelihood - held.log_likelihood), 0.0)
    return float(2 * stdtr(law.df, -np.sqrt(np.expm1(min(gap / k, 50.0)) * law.df)))


def published(points: Points, law: Regression) -> dict[str, Any]:
    """The published pair tested jointly: F(2, K - 2) on (ln a, b)."""
    a, b = GAMMA_STAR
    if law.df < 1 or len(law.coefficients) != 2:
        return {"a": a, "b": b, "p": None, "excluded": None}
    gap = law.coefficients - np.array([np.log(a), b])
    if points.interior.all():
        statistic = float(gap @ np.linalg.pinv(law.covariance) @ gap) / 2
    else:
        held = regress(points, np.zeros((len(points.depth), 0)),
                       offset=design_at(points.depth, points.width, False)
                       @ (law.coefficients - gap), tau2=law.tau**2)  # fmt: skip
        k = int(points.interior.sum())
        deviance = 2 * (law.log_likelihood - held.log_likelihood)
        statistic = float(np.expm1(min(deviance / k, 50.0))) * law.df / 2
    p = float(fdtrc(2, law.df, statistic))
    return {"a": a, "b": b, "p": p, "excluded": p < 0.05}


def depth_line(points: Points, law: Regression, level: float = 0.95) -> DepthLine:
    """The law on a fine grid of depths, at the median width, with both bands."""
    depth = np.geomspace(points.depth.min(), points.depth.max() * 1.3, 80)
    width = np.full(80, float(np.median(points.width)))
    row = design_at(depth, width, len(law.coefficients) > 2)
    ends = (*law.band(row, level), *law.band(row, level, new=True))
    return DepthLine(int(width[0]), depth, np.exp(row @ law.coefficients),
                     *(np.exp(end) for end in ends))  # fmt: skip
