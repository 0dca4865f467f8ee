"""The half-width of b that planned cells would give: a function of the cells, the noise and the law
alone, for many plans at once.

Guarantee: nothing is trained or fitted. Each depth's SD of ln gamma* follows from the curve's own
slopes at its gammas (the curve's error, to first order), each plan's half-width from draws of the
second stage; both are those of the fit (`curve_fit`, `censored_line`), and tests/analysis/
test_design.py holds them against simulated sweeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from analysis.gamma_star.cells import FORM_ERROR, PRIOR_DF
from analysis.gamma_star.curve import with_slope
from analysis.gamma_star.curve_fit import LEAST_GAMMAS, PRIOR_SPREAD
from analysis.gamma_star.optimum import EDGE_LEVEL, FLAT
from analysis.stats.line_precision import slope_half_widths
from analysis.stats.shrinkage import expected_shrunk


@dataclass(frozen=True)
class Planned:
    """The cells of a sweep: depths (K,), of each its gammas and how many seeds run each of them."""

    depth: np.ndarray
    gamma: tuple[np.ndarray, ...]
    seeds: np.ndarray

    @property
    def runs(self) -> int:
        """How many runs they are."""
        return int(sum(len(g) * s for g, s in zip(self.gamma, self.seeds, strict=True)))

    def times(self, seeds: int) -> Planned:
        """The same cells with so many times the seeds."""
        return replace(self, seeds=self.seeds * seeds)


@dataclass(frozen=True)
class Noise:
    """depth (D,), sd (D,): SD of a run's ln metric about its depth's curve; seed_sd: SD of ln gamma*
    between the seeds of a depth; depth_sd: of ln gamma* between depths, about the law."""

    depth: np.ndarray
    sd: np.ndarray
    seed_sd: float
    depth_sd: float

    def at(self, depth: np.ndarray) -> np.ndarray:
        """A run's SD at depths (K,): between the known ones, beyond them that of the nearest."""
        return np.interp(np.log(depth), np.log(self.depth), self.sd)


@dataclass(frozen=True)
class TrueLaw:
    """gamma* = a N^-b, with the curves about it: shape (D, 5) at depth (D,), the two-sided form's
    parameters but theta; ceiling of the metric, None without one."""

    a: float
    b: float
    depth: np.ndarray
    shape: np.ndarray
    ceiling: float | None

    def parameters(self, depth: np.ndarray) -> np.ndarray:
        """The curves' parameters (K, 6) at depths (K,)."""
        log_n = np.log(depth)
        shape = [np.interp(log_n, np.log(self.depth), column) for column in self.shape.T]
        return np.column_stack([np.log(self.a) - self.b * log_n, *shape])


@dataclass(frozen=True)
class Precision:
    """half: the median half-width of b's 95 % interval, infinite where there would be none; error: of
    that median, Monte Carlo; log_sd (K,): SD of each depth's ln gamma*, infinite where no optimum
    would lie inside the grid."""

    half: float
    error: float
    log_sd: np.ndarray


def optimum_sd(planned: Planned, noise: Noise, law: TrueLaw) -> np.ndarray:
    """SD of ln gamma* (K,) at each planned depth; infinite where it would be no interior optimum."""
    depth = np.asarray(planned.depth, float)
    p = law.parameters(depth)
    sigma = noise.at(depth)
    out = np.full(len(depth), np.inf)
    for k, (gamma, seeds) in enumerate(zip(planned.gamma, planned.seeds, strict=True)):
        gamma = np.unique(np.asarray(gamma, float))
        positive = gamma[gamma > 0]
        if len(positive) < LEAST_GAMMAS["two_sided"] or seeds < 1:
            continue
        top = None if law.ceiling is None else np.array([[law.ceiling]])
        value, slope = (v[0] for v in with_slope(p[k : k + 1], gamma[None], top))
        sd = np.sqrt(white(value, slope, sigma[k], noise.seed_sd, int(seeds), top is not None)
                     + noise.seed_sd**2 / seeds)  # fmt: skip
        best = float(with_slope(p[k : k + 1], np.exp(p[k : k + 1, :1]), top)[0][0, 0])
        clear = stdtrit(max(seeds - 1, 1), EDGE_LEVEL) * sd
        inside = np.log(positive[0]) < p[k, 0] - clear and p[k, 0] + clear < np.log(positive[-1])
        walls = min(value[0], value[gamma > 0][0] if gamma[0] > 0 else value[0]), value[-1]
        if inside and min(walls) - best > FLAT:
            out[k] = sd
    return out


def white(value: np.ndarray, slope: np.ndarray, sigma: float, seed_sd: float, seeds: int,
          bounded: bool) -> float:  # fmt: skip
    """Variance of ln gamma* from the runs' own noise: weighted least squares with the fit's weights,
    of which the noise is sigma^2 a run. value (G,), slope (G, 6): the curve at its gammas."""
    spread = sigma**2 + (slope[:, 0] * seed_sd) ** 2
    typical, df = float(np.median(spread)), seeds - 1
    # what `cells.cell_variance` says of such cells on average
    variance = (PRIOR_DF * typical + df * spread) / (PRIOR_DF + df) + typical
    form = (FORM_ERROR * (value - value.min())) ** 2
    weight = seeds / (variance + seeds * form)
    free = np.array([True] * 4 + [bounded, True])
    jac = slope[:, free]
    inverse = np.linalg.pinv((jac * weight[:, None]).T @ jac + np.diag(1 / PRIOR_SPREAD[free] ** 2))
    row = (inverse @ (jac * weight[:, None]).T)[0]
    return float((row**2).sum() * sigma**2 / seeds)


def half_widths(
    plans: Sequence[Planned], noise: Noise, law: TrueLaw, draws: int = 2000, seed: int = 0
) -> list[Precision]:
    """Each plan's half-width, all under the same draws so that their differences are the plans'."""
    depths = np.unique(np.concatenate([p.depth for p in plans])).astype(float)
    sd, seen = np.full((2, len(plans), len(depths)), np.inf)
    for c, plan in enumerate(plans):
        own = optimum_sd(plan, noise, law)
        told = np.isfinite(own)
        at = np.searchsorted(depths, plan.depth)
        sd[c, at] = own
        if told.any():
            df = np.maximum(plan.seeds[told] - 1.0, 1.0)
            seen[c, at[told]] = np.sqrt(expected_shrunk(own[told] ** 2, df))
    normal = np.random.default_rng(seed).standard_normal((draws, len(depths)))
    half = slope_half_widths(-np.log(depths), sd, seen, noise.depth_sd, normal)
    out = []
    for c, plan in enumerate(plans):
        middle = float(np.median(half[c]))
        error = 1.2533 * float(np.std(half[c])) / np.sqrt(draws) if np.isfinite(middle) else np.inf
        out.append(Precision(middle, float(error), sd[c, np.searchsorted(depths, plan.depth)]))
    return out


def half_width(planned: Planned, noise: Noise, law: TrueLaw, draws: int = 2000) -> Precision:
    """The half-width of one plan."""
    return half_widths([planned], noise, law, draws)[0]
