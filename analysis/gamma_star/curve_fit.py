"""Every depth's curve, with the curve of each seed left out beside it.

All depths, starts and jackknife replicates are fitted in a few batched calls; censored runs
(steps_to_solve) are filled in by their conditional expectation until the fit is at rest (EM).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import log_ndtr

from analysis.gamma_star.cells import Cells
from analysis.gamma_star.curve import polynomial_minimum, two_sided, with_slope
from analysis.stats.least_squares import Model, minimise

# Positive gammas that a form needs: one more than it has parameters of shape.
LEAST_GAMMAS = {"two_sided": 5, "quadratic": 4, "cubic": 5}
GRID = 200  # places at which a curve is looked at
BEYOND = 1.5  # how far past the grid's edge (in ln gamma) an argmin is still looked for
SHAPES = ((0.4, 0.4), (1.1, 0.4), (0.4, 1.1))  # starts for ln alpha, ln beta
EM_ROUNDS, EM_REST = 12, 0.01  # at rest: no censored run moves by 1 % of its steps
PRIOR_SPREAD = np.array([3.0, 1.0, 1.0, 3.0, 1.5, 2.0])  # of the ridge, in the parameters' units
FLOORS = (0.3, 0.9)  # starts for E as a share of the best cell


@dataclass(frozen=True)
class CurveFit:
    """One depth's fit. p: parameters (P,); p_without (S, P): with each seed left out;
    theta: ln gamma of the minimum, theta_without (S,)."""

    cells: Cells
    form: str
    window: float | None
    p: np.ndarray
    p_without: np.ndarray
    theta: float
    theta_without: np.ndarray
    keep: np.ndarray
    filled: np.ndarray

    @property
    def hull(self) -> tuple[float, float]:
        """ln of the smallest and the largest positive gamma."""
        gamma = self.cells.gamma[self.cells.positive]
        return float(np.log(gamma[0])), float(np.log(gamma[-1]))

    @cached_property
    def drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """The curve between them: GRID places, even in ln gamma, and its values there."""
        x = np.linspace(*self.hull, GRID)
        return x, self.value(np.exp(x))

    def value(self, gamma: np.ndarray, p: np.ndarray | None = None) -> np.ndarray:
        """The curve on the metric's scale at gamma (n,), for p (P,) or (S, P)."""
        p = self.p if p is None else p
        rows = np.atleast_2d(p)
        if self.form == "two_sided":
            ceiling = None if self.cells.ceiling is None else np.full((1, 1), self.cells.ceiling)
            out = two_sided(rows, np.asarray(gamma, float)[None, :], ceiling)
        else:
            with np.errstate(divide="ignore"):
                x = np.log(np.asarray(gamma, float))
            out = np.polynomial.polynomial.polyval(x, rows.T)
        return out[0] if np.ndim(p) == 1 else out

    def own_values(self, x: np.ndarray) -> np.ndarray:
        """Each replicate's curve (S,) at its own ln gamma x (S,)."""
        if self.form != "two_sided":
            powers = x[:, None] ** np.arange(self.p_without.shape[1])
            return (powers * self.p_without).sum(1)
        ceiling = None if self.cells.ceiling is None else np.full((1, 1), self.cells.ceiling)
        return two_sided(self.p_without, np.exp(x)[:, None], ceiling)[:, 0]

    def jackknife(self, of: np.ndarray) -> np.ndarray:
        """Jackknife variance of statistics of (S, ...), one row a seed left out."""
        count = len(of)
        if count < 2:
            return np.full(of.shape[1:], np.nan)
        return (count - 1) / count * ((of - of.mean(0)) ** 2).sum(0)


def usable(cells: Cells, form: str) -> bool:
    """Whether a depth has gammas enough, and any variation, for `form`."""
    mean, weight = cells.means()
    inside = cells.positive & (weight > 0)
    return inside.sum() >= LEAST_GAMMAS[form] and bool(np.ptp(mean[weight > 0]) > 1e-9)


def fit_curves(groups: list[Cells], form: str, window: float | None) -> list[CurveFit]:
    """Fit `form` to each depth (those that `usable` accepts); `window` in ln gamma around the
    best cell, None for all."""
    if not groups:
        return []
    keeps = [window_of(cells, form, window) for cells in groups]
    filled = [cells.y for cells in groups]
    fitter = fit_two_sided if form == "two_sided" else fit_polynomial
    warm = None
    if any(cells.censored.any() for cells in groups):
        for _ in range(EM_ROUNDS):
            fits = fitter(groups, filled, keeps, form, window, warm, leave_out=False)
            warm, before = [fit.p for fit in fits], filled
            filled = [fill(fit, y) for fit, y in zip(fits, filled, strict=True)]
            moved = max(
                float(np.nanmax(np.abs(a - b))) for a, b in zip(filled, before, strict=True)
            )
            if moved < EM_REST:
                break
    return fitter(groups, filled, keeps, form, window, warm)


def window_of(cells: Cells, form: str, window: float | None) -> np.ndarray:
    """Which cells (G,) enter the fit."""
    mean, weight = cells.means()
    keep = (weight > 0) & (cells.positive if form != "two_sided" else True)
    if window is None:
        return keep
    positive = np.flatnonzero(keep & cells.positive)
    x = np.log(cells.gamma[positive])
    best = int(np.argmin(mean[positive]))
    near = np.abs(x - x[best]) <= window
    if near.sum() < LEAST_GAMMAS[form]:
        near[np.argsort(np.abs(x - x[best]))[: LEAST_GAMMAS[form]]] = True
    out = np.zeros_like(keep)
    out[positive[near]] = True
    return out


def fill(fit: CurveFit, y: np.ndarray) -> np.ndarray:
    """Censored runs at the mean of a normal above where they were censored."""
    cells = fit.cells
    if not cells.censored.any():
        return y
    with np.errstate(invalid="ignore"):
        centre = np.broadcast_to(fit.value(np.maximum(cells.gamma, 1e-12)), y.shape)
    residual = (y - centre)[np.isfinite(y) & fit.keep]
    sd = max(float(np.sqrt(np.mean(residual**2))), 1e-3)
    z = (cells.y - centre) / sd
    hazard = np.exp(-(z**2) / 2 - np.log(2 * np.pi) / 2 - log_ndtr(-z))
    expected = centre + sd * hazard
    swap = cells.censored & np.isfinite(expected) & np.isfinite(cells.y)
    # A curve without a ceiling must not chase its own extrapolation: two ln units past the end.
    return np.where(swap, np.minimum(np.maximum(expected, cells.y), cells.y + 2), y)


def stack(groups, filled, keeps, leave_out: bool):
    """Cell means, weights and gammas, padded to one length: (B, n) each, and whose row is whose."""
    counts = [replicates(c, k) if leave_out else 1 for c, k in zip(groups, keeps, strict=True)]
    owner = np.repeat(np.arange(len(groups)), counts)
    block = np.zeros((3, len(owner), max(len(cells.gamma) for cells in groups)))
    for k, (cells, y, keep) in enumerate(zip(groups, filled, keeps, strict=True)):
        by_seed = leave_out and len(cells.seeds) > 1
        mean, weight = cells.means(y, leave_out=by_seed)
        weight = np.where(keep & np.isfinite(mean), weight, 0.0)
        if leave_out and not by_seed:
            weight = np.tile(weight, (counts[k], 1))
            weight[np.arange(counts[k]), np.flatnonzero(keep)] = 0.0
        mine = owner == k
        size = len(cells.gamma)
        block[0, mine, :size], block[1, mine, :size] = np.nan_to_num(mean), weight
        block[2, mine, :size] = cells.gamma
    return block[0], block[1], block[2], owner


def replicates(cells: Cells, keep: np.ndarray) -> int:
    """How many jackknife replicates: one a seed; with a single seed one a gamma."""
    return len(cells.seeds) if len(cells.seeds) > 1 else int(keep.sum())


def prior(cells: Cells, mean: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weak ridge: centre and spread (6,) in the parameters' own units. It decides only what the
    data leave open (a skew without a flank, a floor under a narrow valley)."""
    x = np.log(cells.gamma[cells.positive & keep])
    y = mean[keep]
    if cells.ceiling is None:
        h, floor = -y.min(), 0.0
    else:
        share = np.clip(np.exp(y.min()) / cells.ceiling, 1e-6, 0.95)
        floor = np.log(0.5 * share / (1 - 0.5 * share))
        h = -np.log(0.5 * share / (1 - 0.5 * share))
    centre = np.array([x.mean(), 0.7, 0.7, h, floor, x[0] - 0.7])
    return centre, PRIOR_SPREAD


def fit_two_sided(
    groups, filled, keeps, form, window, warm, leave_out: bool = True
) -> list[CurveFit]:
    """Batched fits: several starts a depth, then each seed left out from the best."""
    y, weight, gamma, owner = stack(groups, filled, keeps, leave_out=False)
    priors = [prior(c, y[k, : len(c.gamma)], keep)
              for k, (c, keep) in enumerate(zip(groups, keeps, strict=True))]  # fmt: skip
    centre, spread = (np.array([p[i] for p in priors]) for i in (0, 1))
    ceiling = ceilings(groups)
    free = np.ones(6, bool)
    free[4] = ceiling is not None
    if warm is None:
        starts, source = [], []
        for k, cells in enumerate(groups):
            inside = np.flatnonzero(cells.positive & (weight[k, : len(cells.gamma)] > 0))
            best = inside[np.argmin(y[k, inside])]
            for alpha, beta in SHAPES:
                for floor in FLOORS:
                    p = centre[k].copy()
                    p[0], p[1], p[2] = np.log(cells.gamma[best]), alpha, beta
                    if cells.ceiling is not None:
                        share = np.clip(np.exp(y[k, inside].min()) / cells.ceiling, 1e-6, 0.95)
                        p[3] = -np.log((1 - floor) * share / (1 - (1 - floor) * share))
                        p[4] = np.log(floor * share / (1 - floor * share))
                    starts.append(p)
                    source.append(k)
        p, objective = run(np.array(starts), np.array(source), y, weight, gamma, ceiling,
                           centre, spread, free)  # fmt: skip
        objective = objective.reshape(len(groups), -1)
        p = p.reshape(len(groups), -1, 6)[np.arange(len(groups)), objective.argmin(1)]
    else:
        p, _ = run(np.array(warm), owner, y, weight, gamma, ceiling, centre, spread, free)
    if not leave_out:
        return [CurveFit(c, form, window, p[k], p[k : k + 1], float(p[k, 0]), p[k, :1], keeps[k],
                         filled[k]) for k, c in enumerate(groups)]  # fmt: skip
    y1, w1, g1, owner1 = stack(groups, filled, keeps, leave_out=True)
    top = None if ceiling is None else ceiling[owner1]
    p1, _ = minimise(model_of(g1, top), p[owner1], y1, w1, centre[owner1], spread[owner1], free,
                     steps=30)  # fmt: skip
    return [
        CurveFit(cells, form, window, p[k], p1[owner1 == k], float(p[k, 0]),
                 p1[owner1 == k, 0], keeps[k], filled[k])
        for k, cells in enumerate(groups)
    ]  # fmt: skip


def ceilings(groups: list[Cells]) -> np.ndarray | None:
    """(K, 1), None for a metric without a ceiling."""
    if groups[0].ceiling is None:
        return None
    return np.array([[cells.ceiling] for cells in groups])


def run(start, source, y, weight, gamma, ceiling, centre, spread, free, steps=60):
    """One batched fit of rows `source` of the stacked data."""
    top = None if ceiling is None else ceiling[source]
    return minimise(model_of(gamma[source], top), start, y[source], weight[source],
                    centre[source], spread[source], free, steps=steps)  # fmt: skip


def model_of(gamma: np.ndarray, ceiling: np.ndarray | None) -> Model:
    """The two-sided form at gamma (B, n) as `minimise` wants it."""

    def model(q: np.ndarray, rows: np.ndarray):
        return with_slope(q, gamma[rows], None if ceiling is None else ceiling[rows])

    return model


def fit_polynomial(
    groups, filled, keeps, form, window, warm, leave_out: bool = True
) -> list[CurveFit]:
    """Weighted polynomials in ln gamma; the argmin is looked for a little past the grid's edge."""
    degree = 2 if form == "quadratic" else 3
    y, weight, gamma, _ = stack(groups, filled, keeps, leave_out=False)
    y1, w1, g1, owner1 = stack(groups, filled, keeps, leave_out=True)
    c, c1 = polynomials(gamma, y, weight, degree), polynomials(g1, y1, w1, degree)
    fits = []
    for k, cells in enumerate(groups):
        x = np.log(cells.gamma[keeps[k] & cells.positive])
        low, high = (x[0] - BEYOND, x[-1] + BEYOND) if degree == 2 else (x[0], x[-1])
        mine = owner1 == k
        fits.append(
            CurveFit(cells, form, window, c[k], c1[mine],
                     float(polynomial_minimum(c[k : k + 1], low, high)[0]),
                     polynomial_minimum(c1[mine], low, high), keeps[k], filled[k])
        )  # fmt: skip
    return fits


def polynomials(gamma, y, weight, degree) -> np.ndarray:
    """Weighted least squares (B, degree + 1); rows with too few cells take the least-norm one."""
    x = np.log(np.where((gamma > 0) & (weight > 0), gamma, 1.0))
    root = np.sqrt(weight)
    design = x[:, :, None] ** np.arange(degree + 1) * root[:, :, None]
    return np.einsum("bpn,bn->bp", np.linalg.pinv(design, rcond=1e-10), root * y)
