"""Depths left out are predicted from the others alone, with the interval of a new depth's optimum."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.errors import InputError
from analysis.gamma_star.depth_law import LEAST_INTERIOR, Points, power_design
from analysis.gamma_star.records import HeldOut, Optimum
from analysis.stats.censored_line import regress
from analysis.tables.expressions import condition as rows_where


def left_out(points: Points, condition: str) -> np.ndarray:
    """Which depths `condition` leaves out: "deepest", or a condition on depth and width.

    Raises InputError for a condition that is neither, or one that leaves nothing or everything.
    """
    if condition == "deepest":
        return points.depth == points.depth.max()
    places = pd.DataFrame({"depth": points.depth, "width": points.width})
    which = rows_where(condition, places, "--hold-out").to_numpy()
    if not which.any() or which.all():
        what = "no depth" if not which.any() else "every depth"
        raise InputError(f"--hold-out {condition!r} leaves out {what}")
    return which


def hold_out(points: Points, which: np.ndarray, condition: str, optima: list[Optimum],
             level: float = 0.95) -> list[HeldOut]:  # fmt: skip
    """Predict the depths in `which` from the rest; [] where the rest has too few optima."""
    rest = points.only(~which)
    if rest.interior.sum() < LEAST_INTERIOR:
        return []
    several = np.ptp(points.width) > 0
    design_all = power_design(points)
    design = design_all[~which]
    if several and np.linalg.matrix_rank(design[rest.interior]) < design.shape[1]:
        return []
    fit = regress(rest, design)
    if fit.df < 1:
        return []
    inside = rest.interior
    # rivals without the depth, or with it in another form, keep the width's term
    flat = np.delete(design_all, 1, axis=1)
    height = regress(rest.only(inside), flat[~which][inside], tau2=fit.tau**2).coefficients
    constant = flat @ height
    curved = design_all.copy()
    curved[:, 1] = -points.depth
    exponential = curved @ regress(rest, curved[~which]).coefficients
    half = stdtrit(fit.df, 0.5 + level / 2)
    by_place = {(o.depth, o.width): o for o in optima}
    found = []
    for i in np.flatnonzero(which):
        row = design_all[i]
        centre = float(row @ fit.coefficients)
        scale = fit.sigma2 * (points.se[i] ** 2 + fit.tau**2)
        sd = float(np.sqrt(row @ fit.covariance @ row + max(scale, points.se[i] ** 2)))
        low, high = centre - half * sd, centre + half * sd
        seen = points.value[i] if np.isfinite(points.value[i]) else None
        if seen is None:
            hit = bool(high >= points.low[i] and low <= points.high[i])
        else:
            hit = bool(low <= seen <= high)
        error = None if seen is None else abs(seen - centre)
        away = None if seen is None else abs(seen - constant[i])
        mine = inside & (rest.width == points.width[i])
        near = mine if mine.any() else inside
        nearest = rest.value[near][np.argmax(rest.depth[near])]
        naive = {} if seen is None else {
            "constant": float(away), "nearest depth": float(abs(seen - nearest)),
            "exponential": float(abs(seen - exponential[i])),
        }  # fmt: skip
        kind = by_place[int(points.depth[i]), int(points.width[i])].kind
        found.append(HeldOut(
            condition, int(points.depth[i]), int(points.width[i]), float(np.exp(centre)),
            float(np.exp(low)), float(np.exp(high)), None if seen is None else float(np.exp(seen)),
            kind, hit, None if error is None else float(error),
            None if away is None else float(away),
            None if error is None else bool(error < away), naive,
        ))  # fmt: skip
    return found
