"""What must be concluded of the planted tables, each as a count over replicates: `python -m
tests.coverage --planted` prints them all. A line: how often the conclusion was drawn, of how many,
and how often it must be (or may be at most).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.gamma_star import fit
from analysis.gamma_star.records import GammaStarFit
from analysis.tables.table import from_frame
from tests.planted import (
    ByRate,
    both_signs,
    crossed_widths,
    lost_depths,
    lost_tuning_rows,
    rate_by_hand,
    rate_tuned,
)
from tests.worlds import World, power, simulate

Make = Callable[[np.random.Generator], pd.DataFrame]
Drawn = Callable[[Any], bool]
COARSE, B = ByRate(), 0.74
ROUGH = replace(COARSE, noise=0.1)
HALF = replace(ROUGH, own=0.3, elasticity=0.5)
# how seeds and depths differ in ln gamma*, as in tests.coverage
NOISES = {
    "independent": {}, "seed-level": {"seed_sd": 0.12}, "between-depth": {"depth_sd": 0.1},
    "seed and depth": {"seed_sd": 0.12, "depth_sd": 0.1},
}  # fmt: skip


@dataclass(frozen=True)
class Conclusion:
    """drawn: of a fit. least: the share of tables it must be drawn of; most: it may be."""

    words: str
    drawn: Drawn
    least: float = 0.0
    most: float = 1.0


@dataclass(frozen=True)
class Planted:
    """One kind of table and what must be concluded of it."""

    name: str
    make: Make
    conclusions: tuple[Conclusion, ...]
    fitted: Callable[[pd.DataFrame], Any] | None = None
    """What the conclusions are drawn of: by default the first arm's fit."""


def rate(name: str, truth: float) -> Drawn:
    """Whether an interval of the rate law (b_total, b_fixed) holds the truth."""

    def drawn(found: GammaStarFit) -> bool:
        told = found.law.data["rate"][name]
        return told is not None and told["low"] <= truth <= told["high"]

    return drawn


def verdict(name: str) -> Drawn:
    """Whether the law was given a verdict."""
    return lambda found: found.law.verdict == name


def explained(found: GammaStarFit) -> bool:
    """Whether the learning rate was said to explain the fall."""
    return "; explained by the learning rate" in found.sentences[0]


def b_of(truth: float, name: str = "b") -> Drawn:
    """Whether a parameter's interval holds the truth."""

    def drawn(found: GammaStarFit) -> bool:
        p = found.law.parameters[name]
        return p.low is not None and p.high is not None and p.low <= truth <= p.high

    return drawn


def not_asked(found: GammaStarFit) -> bool:
    """Whether momentum was said not to help, and the best filter to be low-pass."""
    said = found.sentences[0]
    return (
        "does not help here" in said and "low-pass" in said and found.law.data.get("rate") is None
    )


def angle(truth: float) -> Drawn:
    """Whether the best tap angle's interval holds the truth."""

    def drawn(found: GammaStarFit) -> bool:
        told = found.law.data["sign"]["angle"]
        return told is not None and told["low"] <= truth <= told["high"]

    return drawn


def by_width(rng: np.random.Generator) -> pd.DataFrame:
    """b = .74 at width 32 and .45 at width 64."""
    parts = []
    for width, b in ((32, 0.74), (64, 0.45)):
        part = simulate(World("w", power(4.17, b), noise=0.05), rng)
        parts.append(part.assign(width=width, run_id=part["run_id"] + f"-{width}"))
    return pd.concat(parts, ignore_index=True)


def by_rate(name: str, world: ByRate, tuning_seeds: int = 1, least: float = 0.9) -> Planted:
    """A world of the rate: both exponents cover; the finding is that of the truth."""
    own = () if world.own else (Conclusion("explained by the learning rate", explained, least=0.9),)
    never = (
        (Conclusion("explained by the learning rate", explained, most=0.0),) if world.own else ()
    )
    return Planted(name, lambda rng: rate_tuned(world, rng, tuning_seeds), (
        Conclusion(f"b at a fixed rate covers {world.own:g}", rate("b_fixed", world.own), least),
        Conclusion(f"b in total covers {world.b_in_total:.3g}", rate("b_total", world.b_in_total), least),
        *own, *never,
    ))  # fmt: skip


def tables() -> Iterator[Planted]:
    """Every kind of table."""
    supported = "supported"
    yield Planted("rate by hand per depth", lambda rng: rate_by_hand(COARSE, rng),
                  (Conclusion(supported, verdict(supported), most=0.0),))  # fmt: skip
    yield by_rate("gamma* of the rate alone, step 2", COARSE)
    yield by_rate("gamma* of the rate alone, step √2", replace(COARSE, step=2**0.5))
    for name, changes in NOISES.items():
        yield by_rate(f"the same, noise .1, {name}", replace(ROUGH, **changes))
    yield by_rate("the same, four gammas a rate", replace(
        ROUGH, tuning_gammas=(0.1, 0.3, 0.9, 2.7), top=1.5, elasticity=0.5), least=0.85)  # fmt: skip
    yield by_rate("the same, six depths", replace(ROUGH, depths=(1, 2, 3, 4, 6, 8)))
    yield by_rate("the same, every seed at every rate", replace(ROUGH, seeds=0), 4)
    yield by_rate("gamma* rises with the rate's fall", replace(ROUGH, elasticity=-0.5, top=0.5))
    for name, changes in NOISES.items():
        yield by_rate(f"half rate, half depth, {name}", replace(HALF, **changes))
    yield Planted("gamma* of the depth alone", lambda rng: simulate(World("p", power()), rng), (
        Conclusion("explained by the learning rate", explained, most=0.0),
        Conclusion("b in total covers .74", rate("b_total", B), 0.9),
        Conclusion("b at a fixed rate covers .74", rate("b_fixed", B), 0.9),
        Conclusion(supported, verdict(supported), 0.8),
    ))  # fmt: skip
    yield Planted("a true law, 2 % of the tuning runs lost", lost_tuning_rows,
                  (Conclusion(supported, verdict(supported), 0.8),))  # fmt: skip
    yield Planted("a true law, the deepest depths lost", lost_depths,
                  (Conclusion(supported, verdict(supported), most=0.0),))  # fmt: skip
    for tuned in ((0.8,), (0.4, 0.8)):
        few = replace(COARSE, tuning_gammas=tuned, step=2**0.5)
        yield Planted(f"gamma* of the rate alone, tuned at {len(tuned)} γ",
                      lambda rng, world=few: rate_tuned(world, rng),
                      (Conclusion(supported, verdict(supported), most=0.0),))  # fmt: skip
    yield Planted("two widths, a true law", crossed_widths, (
        Conclusion(supported, verdict(supported), 0.6), Conclusion("b covers .74", b_of(B), 0.9),
        Conclusion("c covers .4", b_of(0.4, "c"), 0.9),
    ))  # fmt: skip
    yield Planted("two widths, b = 0", lambda rng: crossed_widths(rng, b=0.0),
                  (Conclusion(supported, verdict(supported), most=0.05),))  # fmt: skip
    yield Planted("two widths, b of each", by_width,
                  (Conclusion(supported, verdict(supported), most=0.05),))  # fmt: skip
    for best in (-30.0, -12.0):
        yield Planted(f"best angle {best:g}", lambda rng, a=best: both_signs(rng, best_angle=a), (
            Conclusion("momentum does not help, low-pass", not_asked, 0.95),
            Conclusion("the angle's interval covers", angle(best), 0.85),
        ))  # fmt: skip
    for best in (12.0, 25.0):
        yield Planted(f"best angle {best:g}", lambda rng, a=best: both_signs(rng, best_angle=a), (
            Conclusion("momentum does not help", not_asked, most=0.0),
            Conclusion("the angle's interval covers", angle(best), 0.85),
        ))  # fmt: skip


def first_arm(frame: pd.DataFrame) -> GammaStarFit:
    """The fit of a table's first arm."""
    result = fit(from_frame(frame, {}, Path("planted.parquet")), explore=False)
    return next(iter(result.arms.values()))


def counted(planted: Planted, replicates: int, seed: int = 3) -> Iterator[tuple[str, bool]]:
    """A line a conclusion, and whether its count lies within the bound."""
    hits = np.zeros(len(planted.conclusions), int)
    for i in range(replicates):
        frame = planted.make(np.random.default_rng([seed, i]))
        found = (planted.fitted or first_arm)(frame)
        hits += [c.drawn(found) for c in planted.conclusions]
    for conclusion, count in zip(planted.conclusions, hits, strict=True):
        share = count / replicates
        bound = (f"at most {conclusion.most:.0%}" if conclusion.most < 1
                 else f"at least {conclusion.least:.0%}")  # fmt: skip
        yield (f"{planted.name:<42} {conclusion.words:<36} {count:3d} of {replicates} ({bound})",
               conclusion.least <= share <= conclusion.most)  # fmt: skip
