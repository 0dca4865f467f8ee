"""A valley with a flat floor has no best gamma, however its walls drift with depth.

Flatness: how far the curve has risen half way from the middle of the valley to its walls, as a
share of the rise at the walls (where ln of the metric is H above its least). A smooth minimum has
1/4 (a parabola), a fourth power 1/16, a flat floor 0; odd terms (skew) cancel.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import stdtrit

from analysis.gamma_star.curve_fit import CurveFit
from analysis.gamma_star.records import Optimum
from analysis.text import number

SMOOTH = 1 / 8
"""Between a parabola and a fourth power: what is below has a floor. Simulated: smooth worlds .18-.31
at every depth, floors of 1.8 or more in ln gamma below .06 (docs/notebook.md, "flat valleys")."""
HIGHEST = 1.0  # H: a rise by a factor of e, or half of what the grid shows, if that is less
LEAST = 0.02  # a rise of less than 2 % has no walls


def flatness(fit: CurveFit) -> tuple[float, float, float]:
    """(share, the walls' ln gamma); NaN without walls on both sides."""
    x, y = fit.drawn
    at = int(y.argmin())
    rise = y - y[at]
    height = min(HIGHEST, 0.5 * rise[: at + 1].max(), 0.5 * rise[at:].max())
    if height < LEAST:
        return np.nan, np.nan, np.nan
    left = x[np.flatnonzero(rise[: at + 1] >= height)[-1]]
    right = x[at + np.flatnonzero(rise[at:] >= height)[0]]
    return float(share(fit.value(places(left, right)))), float(left), float(right)


def places(left: float, right: float) -> np.ndarray:
    """Five gammas, of which the ends are the walls, evenly in ln gamma."""
    return np.exp(np.linspace(left, right, 5))


def share(y: np.ndarray) -> np.ndarray:
    """Of the rise at the walls, the part that is there half way; y (..., 5) at `places`."""
    half_way, wall = (y[..., 1] + y[..., 3]) / 2, (y[..., 0] + y[..., 4]) / 2
    return (half_way - y[..., 2]) / np.maximum(wall - y[..., 2], 1e-9)


def share_se(fit: CurveFit, left: float, right: float) -> float:
    """The jackknife standard error of a fit's share; NaN without walls."""
    if not np.isfinite(left):
        return np.nan
    return float(np.sqrt(fit.jackknife(share(fit.value(places(left, right), fit.p_without)))))


def without_floors(fits: list[CurveFit], optima: list[Optimum]) -> list[Optimum]:
    """The optima, those inside a flat floor said to be none. Asked of the arm as a whole and of each
    depth: where the depths' mean share, or that of half of them, is surely below SMOOTH."""
    interior = np.array([o.kind == "interior" for o in optima], bool)
    if not interior.any():
        return optima
    own, *walls = np.array([flatness(f) for f in fits]).T
    if not (own[interior] < SMOOTH).any():
        return optima
    se = np.array([share_se(f, *ends) for f, *ends in zip(fits, *walls, strict=True)])
    inside = interior & np.isfinite(own + se)
    if not inside.any():
        return optima
    count = int(inside.sum())
    own_df = np.array([max(len(f.cells.seeds) - 1, 1) for f in fits], float)
    below = inside & (own + stdtrit(own_df, 0.95) * se < SMOOTH)
    floor = below.sum() >= count / 2
    if count > 2 and not floor:
        error = max(np.sqrt((se[inside] ** 2).sum()) / count,
                    own[inside].std(ddof=1) / np.sqrt(count))  # fmt: skip
        floor = own[inside].mean() + stdtrit(count - 1, 0.975) * error < SMOOTH
    if not floor:
        return optima
    return [
        replace(o, kind="none", gamma=None, low=None, high=None, log_se=None,
                label=f"no one best γ: flat from {number(np.exp(lo), 2)} to {number(np.exp(hi), 2)}")
        if o.kind == "interior" else o
        for o, lo, hi in zip(optima, *walls, strict=True)
    ]  # fmt: skip
