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
GRID = 400


def flatness(fit: CurveFit) -> tuple[float, float, float, float]:
    """(share, its jackknife standard error, the walls' ln gamma); NaN without walls on both sides."""
    x = np.linspace(*fit.hull, GRID)
    y = fit.value(np.exp(x))
    at = int(y.argmin())
    rise = y - y[at]
    height = min(HIGHEST, 0.5 * rise[: at + 1].max(), 0.5 * rise[at:].max())
    if height < LEAST:
        return np.nan, np.nan, np.nan, np.nan
    left = x[np.flatnonzero(rise[: at + 1] >= height)[-1]]
    right = x[at + np.flatnonzero(rise[at:] >= height)[0]]
    places = np.exp(np.linspace(left, right, 5))

    def share(v: np.ndarray) -> np.ndarray:
        half_way, wall = (v[..., 1] + v[..., 3]) / 2, (v[..., 0] + v[..., 4]) / 2
        return (half_way - v[..., 2]) / np.maximum(wall - v[..., 2], 1e-9)

    own = share(fit.value(places))
    se = np.sqrt(fit.jackknife(share(fit.value(places, fit.p_without))))
    return float(own), float(se), float(left), float(right)


def without_floors(fits: list[CurveFit], optima: list[Optimum]) -> list[Optimum]:
    """The optima, those inside a flat floor said to be none. Asked of the arm as a whole and of each
    depth: where the depths' mean share, or that of half of them, is surely below SMOOTH."""
    found = np.array([flatness(f) for f in fits]).reshape(len(fits), 4)
    share, se = found[:, 0], found[:, 1]
    inside = np.array([o.kind == "interior" for o in optima], bool) & np.isfinite(share + se)
    if not inside.any():
        return optima
    count = int(inside.sum())
    own_df = np.array([max(len(f.cells.seeds) - 1, 1) for f in fits], float)
    below = inside & (share + stdtrit(own_df, 0.95) * se < SMOOTH)
    floor = below.sum() >= count / 2
    if count > 2 and not floor:
        error = max(np.sqrt((se[inside] ** 2).sum()) / count,
                    share[inside].std(ddof=1) / np.sqrt(count))  # fmt: skip
        floor = share[inside].mean() + stdtrit(count - 1, 0.975) * error < SMOOTH
    if not floor:
        return optima
    return [
        replace(o, kind="none", gamma=None, low=None, high=None, log_se=None,
                label=f"no one best γ: flat from {number(np.exp(lo), 2)} to {number(np.exp(hi), 2)}")
        if o.kind == "interior" else o
        for o, (_, _, lo, hi) in zip(optima, found, strict=True)
    ]  # fmt: skip
