"""What a table's fit says of noise and law, in the terms of `precision`: the pilot of a plan."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from analysis.errors import InputError
from analysis.gamma_star.curve import with_slope
from analysis.gamma_star.curve_fit import CurveFit
from analysis.gamma_star.precision import Noise, Planned, TrueLaw


def of_fits(
    fits: list[CurveFit], interior: np.ndarray, a: float, b: float, depth_sd: float
) -> tuple[Noise, TrueLaw]:
    """Noise and law of one arm's curves at one width. interior (K,): which have an optimum inside the
    grid, whose shapes are believed; a, b: the law. Raises InputError for a form that isn't the
    two-sided one, and without seeds to tell noise."""
    good = [f for f, inside in zip(fits, interior, strict=True) if inside] or fits
    if any(f.form != "two_sided" for f in good):
        raise InputError("a plan's precision is known for the two-sided form alone")
    parts = [components(f) for f in good if len(f.cells.seeds) > 1]
    if not parts:
        raise InputError("one seed tells no noise: a pilot needs two seeds or more")
    told = [f for f in good if len(f.cells.seeds) > 1]
    depth = np.array([f.cells.depth for f in told], float)
    df = np.array([f.cells.noise_df for f in told], float)
    sigma2, seed2 = np.array(parts).T
    order = np.argsort(depth)
    noise = Noise(depth[order], np.sqrt(np.maximum(sigma2, 1e-12))[order],
                  float(np.sqrt(np.average(seed2, weights=df))), depth_sd)  # fmt: skip
    order = np.argsort([f.cells.depth for f in good])
    shapes = np.array([good[i].p[1:] for i in order])
    at = np.array([good[i].cells.depth for i in order], float)
    return noise, TrueLaw(a, b, at, shapes, good[0].cells.ceiling)


def components(fit: CurveFit) -> tuple[float, float]:
    """(variance of a run about the curve, variance of ln gamma* between seeds) of one depth: a seed
    whose gamma* is off moves its cells by the curve's slope there, its own noise moves all alike.
    What moves a seed's cells all by the same moves no optimum and counts for neither."""
    y = fit.filled
    there = np.isfinite(y)
    rest = y - np.nanmean(y, axis=0)
    rest = rest - np.nanmean(rest, axis=1, keepdims=True)
    seeds, cells = there.sum(0), int(there.any(0).sum())
    able = seeds > 1
    if able.sum() < 3:
        return float(fit.cells.variance.mean() / 2), 0.0
    lost = cells / max(cells - 1, 1)  # by centring each seed
    variance = lost * np.nansum(rest**2, axis=0)[able] / (seeds[able] - 1)
    top = None if fit.cells.ceiling is None else np.array([[fit.cells.ceiling]])
    slope = with_slope(fit.p[None], fit.cells.gamma[None], top)[1][0, :, 0]
    lever = (slope - slope.mean())[able] ** 2
    design = np.column_stack([np.ones(len(lever)), lever])
    # the variance of a variance goes as its square: one reweighting
    weight = np.ones(len(lever))
    for _ in range(3):
        found, _ = nnls(design * weight[:, None], variance * weight)
        weight = 1 / np.maximum(design @ found, 1e-12)
        weight = weight / weight.mean()
    return float(found[0]), float(found[1])


def planned_as(fits: list[CurveFit]) -> Planned:
    """The cells that were run."""
    gammas = tuple(f.cells.gamma[f.keep] for f in fits)
    # a cell's own count: seeds that ran everywhere are the rule
    seeds = [max(int(np.median(np.isfinite(f.cells.y[:, f.keep]).sum(0))), 1) for f in fits]
    return Planned(np.array([f.cells.depth for f in fits], float), gammas, np.array(seeds))
