"""One depth's loss over (ln gamma, ln lr): every rate has the depth's one curve in ln gamma, whose
place moves linearly with ln lr and whose level is free.

`surfaces` fits all depths in one batch and gives, for each, the elasticity d ln gamma* / d ln lr and
the least loss at every rate, both from the same few gammas a rate that a tuning sweep affords: the
curve's shape is shared with the reported runs. Seeds that ran at several rates have a place of their
own, so that a seed's shift, common to all its rates, cancels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.gamma_star.cells import FORM_ERROR
from analysis.gamma_star.curve import with_slope
from analysis.gamma_star.curve_fit import CurveFit, prior
from analysis.stats.least_squares import minimise

LEAST_RATES = 3
LEAST_GAMMAS = 3  # above 0 at a rate: fewer can't place a curve whose shape is known
SHARED = 8  # the curve's own six, the elasticity, the tuning seeds' shift
SPREAD = (1.5, 1.0)  # weak priors: of the elasticity and of the tuning seeds' shift
LEVELS = 3.0
STARTS = (-0.7, 0.0, 0.7)


@dataclass(frozen=True)
class Surface:
    """One (depth, width). elasticity: d ln gamma* / d ln lr; log_lr (R,): the tuned rates; least
    (R,): the least y over gamma at each, covariance (R, R). log_gamma: ln gamma* at the rate
    exp(centre), None where it lies past the gammas that were run."""

    depth: int
    width: int
    elasticity: float
    elasticity_se: float
    log_lr: np.ndarray
    least: np.ndarray
    covariance: np.ndarray
    centre: float
    log_gamma: float | None
    log_gamma_se: float


@dataclass(frozen=True)
class Blocks:
    """One depth's cells by (seeds' group, rate), padded. y, weight, gamma (R, n); log_lr (R,),
    centred at `centre`; tuning (R,) bool."""

    fit: CurveFit
    y: np.ndarray
    weight: np.ndarray
    gamma: np.ndarray
    log_lr: np.ndarray
    centre: float
    tuning: np.ndarray


def surfaces(runs: pd.DataFrame, y: np.ndarray, fits: list[CurveFit]) -> list[Surface]:
    """The surfaces of the depths of `fits` whose rows tell them. runs: one arm's completed rows with
    depth, width, gamma, lr, seed; y (R,): on the metric's scale."""
    depth, width, gamma, lr, seed = (
        runs[c].to_numpy(float) for c in ("depth", "width", "gamma", "lr", "seed")
    )
    usable = np.isfinite(y) & (gamma > 0) & np.isfinite(lr)
    found = []
    for fit in fits:
        mine = usable & (depth == fit.cells.depth) & (width == fit.cells.width)
        blocks = blocks_of(fit, seed[mine], lr[mine], gamma[mine], y[mine])
        if blocks is not None:
            found.append(blocks)
    return fit_all(found) if found else []


def blocks_of(fit: CurveFit, seed, lr, gamma, y) -> Blocks | None:
    """A depth's cell means by rate, from its rows (n,); None where fewer than LEAST_RATES rates were
    tuned."""
    ran = np.unique(np.column_stack([seed, lr]), axis=0)
    seeds, rates = np.unique(ran[:, 0], return_counts=True)
    tuned = np.isin(seed, seeds[rates >= LEAST_RATES])
    keys, owner = np.unique(np.column_stack([tuned, lr]), axis=0, return_inverse=True)
    grid, column = np.unique(gamma, return_inverse=True)
    total, count = np.zeros((2, len(keys), len(grid)))
    np.add.at(total, (owner.ravel(), column), y)
    np.add.at(count, (owner.ravel(), column), 1)
    kept = ((count > 0).sum(1) >= LEAST_GAMMAS) | (keys[:, 0] == 0)
    if keys[kept, 0].sum() < LEAST_RATES:
        return None
    keys, total, count = keys[kept], total[kept], count[kept]
    mean = total / np.maximum(count, 1)
    least = np.where(count > 0, mean, np.inf).min(1, keepdims=True)
    own = dict(zip(fit.cells.gamma, fit.cells.variance, strict=True))
    noise = np.array([own.get(g, float(np.median(fit.cells.variance))) for g in grid])
    weight = count / (noise + count * (FORM_ERROR * (mean - least)) ** 2)
    log_lr = np.log(keys[:, 1])
    centre = float(np.mean(log_lr))
    return Blocks(fit, mean, weight, np.tile(grid, (len(keys), 1)), log_lr - centre, centre,
                  keys[:, 0] == 1)  # fmt: skip


def fit_all(depths: list[Blocks]) -> list[Surface]:
    """Least squares of every depth, a few starts each."""
    rates = max(len(b.log_lr) for b in depths)
    n = max(b.y.shape[1] for b in depths)
    y, weight, gamma = np.zeros((3, len(depths), rates, n))
    gamma[:] = 1.0
    log_lr, tuning = np.zeros((2, len(depths), rates))
    centre, spread = np.zeros((2, len(depths), SHARED + rates))
    start = np.zeros((len(depths), SHARED + rates))
    spread[:] = LEVELS
    for k, b in enumerate(depths):
        r, m = b.y.shape
        y[k, :r, :m], weight[k, :r, :m], gamma[k, :r, :m] = b.y, b.weight, b.gamma
        log_lr[k, :r], tuning[k, :r] = b.log_lr, b.tuning
        cells = b.fit.cells
        mean, _ = cells.means()
        middle, wide = prior(cells, mean, b.fit.keep)
        centre[k, :6], spread[k, :6] = middle, wide
        spread[k, 6:SHARED] = SPREAD
        two_sided = b.fit.form == "two_sided"
        own = b.fit.p if two_sided else middle
        start[k, :6] = own
        if not two_sided:
            start[k, 0] = b.fit.theta
        spread[k, SHARED + int(np.argmax((b.weight > 0).sum(1) - 1000 * b.tuning))] = 1e-6
        for i in range(r):
            there = b.weight[i] > 0
            start[k, SHARED + i] = b.y[i, there].min() - mean[b.fit.keep].min()
    ceiling = None if depths[0].fit.cells.ceiling is None else depths[0].fit.cells.ceiling
    free = np.ones(SHARED + rates, bool)
    free[4] = ceiling is not None
    many = len(STARTS)
    p0 = np.repeat(start, many, axis=0)
    p0[:, 6] = np.tile(STARTS, len(depths))
    rows = np.repeat(np.arange(len(depths)), many)
    model = surface_model(gamma[rows], log_lr[rows], tuning[rows], ceiling)
    flat_y, flat_w = y.reshape(len(depths), -1), weight.reshape(len(depths), -1)
    p, value = minimise(model, p0, flat_y[rows], flat_w[rows], centre[rows], spread[rows], free,
                        steps=60)  # fmt: skip
    value = value.reshape(len(depths), many)
    p = p.reshape(len(depths), many, -1)[np.arange(len(depths)), value.argmin(1)]
    model = surface_model(gamma, log_lr, tuning, ceiling)
    fitted, slope = model(p, np.arange(len(depths)))
    precision = np.einsum("bn,bni,bnj->bij", flat_w, slope, slope) + np.einsum(
        "bi,ij->bij", 1 / spread**2, np.eye(p.shape[1])
    )
    covariance = np.linalg.inv(precision)
    square = (flat_w * (flat_y - fitted) ** 2).sum(1)
    used = (flat_w > 0).sum(1) - 6 - np.array([len(b.log_lr) for b in depths])
    scale = square.sum() / max(used.sum(), 1)  # one for all depths: cells differ in noise already
    out = []
    for k, b in enumerate(depths):
        which = np.flatnonzero(b.tuning)
        level = SHARED + which
        # of the reported seeds; where all of them tuned, of those
        place = np.zeros(p.shape[1])
        place[[0, 7]] = 1.0, float(b.tuning.all())
        at, (low, high) = float(p[k] @ place), b.fit.hull
        out.append(
            Surface(b.fit.cells.depth, b.fit.cells.width, float(p[k, 6]),
                    float(np.sqrt(scale * covariance[k, 6, 6])), b.log_lr[which] + b.centre,
                    p[k, level], scale * covariance[k][np.ix_(level, level)], b.centre,
                    at if low < at < high else None,
                    float(np.sqrt(scale * place @ covariance[k] @ place)))
        )  # fmt: skip
    return out


def surface_model(gamma, log_lr, tuning, ceiling: float | None):
    """y (B, R n) and its derivatives (B, R n, SHARED + R) as `minimise` wants them."""
    _, rates, n = gamma.shape

    def model(q: np.ndarray, rows: np.ndarray):
        x, mine = log_lr[rows], tuning[rows]
        own = np.repeat(q[:, None, :6], rates, axis=1)
        own[:, :, 0] += q[:, 6:7] * x + q[:, 7:8] * mine
        top = None if ceiling is None else np.full((1, 1), ceiling)
        value, by = with_slope(own.reshape(-1, 6), gamma[rows].reshape(-1, n), top)
        by = by.reshape(len(rows), rates, n, 6)
        slope = np.zeros((len(rows), rates, n, q.shape[1]))
        slope[..., :6] = by
        slope[..., 6] = by[..., 0] * x[:, :, None]
        slope[..., 7] = by[..., 0] * mine[:, :, None]
        slope[:, np.arange(rates), :, SHARED + np.arange(rates)] = 1.0
        value = value.reshape(len(rows), rates, n) + q[:, SHARED:, None]
        return value.reshape(len(rows), -1), slope.reshape(len(rows), rates * n, -1)

    return model
