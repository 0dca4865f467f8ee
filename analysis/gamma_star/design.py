"""A planned sweep simulated: what b's interval would be, and how often each verdict would be given.

Guarantee: the simulated cells go through the fit's own curves, optima, interval and checks; what is
not simulated is taken as passed (learning rates tuned, momentum helping).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.errors import InputError
from analysis.gamma_star import verdict
from analysis.gamma_star.adequacy import LOCAL_WINDOW, misfit
from analysis.gamma_star.cells import Cells, cell_variance
from analysis.gamma_star.curve import PRIMARY_FORM, two_sided
from analysis.gamma_star.curve_fit import CurveFit, fit_curves, usable
from analysis.gamma_star.depth_law import enough, points_of, power_design
from analysis.gamma_star.optimum import degrees, optima
from analysis.gamma_star.precision import Noise, Planned, TrueLaw
from analysis.gamma_star.rivals import offset_interval, rivals
from analysis.gamma_star.widths import interval_of_b
from analysis.stats.censored_line import regress

AT_ONCE = 25  # sweeps fitted in one batch


@dataclass(frozen=True)
class Outcomes:
    """Of R simulated sweeps: verdicts, how often each; half (R,): half-widths of b, infinite where
    there is no interval; covers: how many of the intervals held the truth."""

    verdicts: dict[str, int]
    half: np.ndarray
    covers: int

    @property
    def told(self) -> int:
        """How many sweeps gave an interval."""
        return int(np.isfinite(self.half).sum())

    @property
    def median(self) -> tuple[float, float]:
        """The median half-width of those that gave one, and its Monte Carlo error."""
        known = self.half[np.isfinite(self.half)]
        if not len(known):
            return float("inf"), float("inf")
        return float(np.median(known)), float(1.2533 * np.std(known) / np.sqrt(len(known)))


def simulate(
    planned: Planned, noise: Noise, law: TrueLaw, replicates: int = 200, seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Outcomes:  # fmt: skip
    """Simulate and judge. progress(done, all). Raises InputError for cells that no curve can be
    fitted to."""
    counts: Counter[str] = Counter()
    half, covers = np.full(replicates, np.inf), 0
    for begin in range(0, replicates, AT_ONCE):
        drawn = [
            sweep(planned, noise, law, np.random.default_rng([seed, i]))
            for i in range(begin, min(begin + AT_ONCE, replicates))
        ]
        size = len(planned.depth)
        groups = [cells for one in drawn for cells in one]
        if not all(usable(cells, PRIMARY_FORM) for cells in groups):
            raise InputError("a curve needs 5 gammas above 0 at every depth")
        fits = fit_curves(groups, PRIMARY_FORM, None)
        local = {id(f.cells): f for f in fit_curves(groups, "cubic", LOCAL_WINDOW)}
        for i in range(len(drawn)):
            said, b = judged(fits[i * size : (i + 1) * size], local)
            counts[said] += 1
            if b is not None:
                half[begin + i] = (b[2] - b[1]) / 2
                covers += b[1] <= law.b <= b[2]
        if progress is not None:
            progress(begin + len(drawn), replicates)
    return Outcomes(dict(counts), half, covers)


def sweep(planned: Planned, noise: Noise, law: TrueLaw, rng: np.random.Generator) -> list[Cells]:
    """One sweep's cells, a group a depth."""
    depth = np.asarray(planned.depth, float)
    p, sd = law.parameters(depth), noise.at(depth)
    top = None if law.ceiling is None else np.array([[law.ceiling]])
    out = []
    for k, (gamma, count) in enumerate(zip(planned.gamma, planned.seeds, strict=True)):
        gamma, seeds = np.unique(np.asarray(gamma, float)), int(count)
        own = np.repeat(p[k : k + 1], seeds, 0)
        own[:, 0] += rng.normal(0, noise.depth_sd) + rng.normal(0, noise.seed_sd, seeds)
        y = two_sided(own, gamma[None], top) + rng.normal(0, sd[k], (seeds, len(gamma)))
        variance, df = cell_variance(y)
        out.append(Cells(int(depth[k]), 1, gamma, np.arange(seeds), y, np.zeros(y.shape, bool),
                         variance, law.ceiling, df))  # fmt: skip
    return out


def judged(
    fits: list[CurveFit], local: dict[int, CurveFit]
) -> tuple[str, tuple[float, float, float] | None]:
    """The verdict on one sweep's curves, and b with its interval (None where it isn't bounded)."""
    every = optima(fits)
    points = points_of(every)
    checks = {"depths": verdict.depths_enough(every)}
    if not enough(points):
        checks["slope"] = {"passed": False, "contradicted": False, "finding": "no slope"}
        return verdict.decide(checks, every)[0], None
    line = regress(points, power_design(points))
    b = interval_of_b(points)
    near = [local.get(id(f.cells)) for f in fits]
    missed = [f.cells.depth for f, n in zip(fits, near, strict=True)
              if not misfit(f, n, len(fits))["adequate"]]  # fmt: skip
    df = float(sum(degrees(f) for f in fits))
    checks |= verdict.of_law(points, line, b, df, missed, every, rivals(points, line),
                             offset_interval(points, line))  # fmt: skip
    known = bool(np.isfinite(b).all())
    return verdict.decide(checks, every)[0], b if known else None
