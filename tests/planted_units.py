"""What must be concluded where units are not what they seem, runs are lost, don't form, or no gamma is
best: counted as in tests/planted_results.py and printed beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.forms.law import fit_table
from analysis.gamma_star.records import GammaStarFit
from tests import planted
from tests.planted_results import Conclusion, Planted, b_of, first_arm, verdict
from tests.worlds import CHANCE, FULL, World, power, simulate

FEW = World("few", power(), seeds=2, noise=0.2)
SMOOTH = {
    "noise .1": {}, "noise .25": {"noise": 0.25}, "seeds .12": {"seed_sd": 0.12},
    "seeds .3": {"seed_sd": 0.3}, "noise .25, the fitted form": {"noise": 0.25, "shape": "two_sided"},
}  # fmt: skip
VALLEYS = {
    "2.4 wide": {}, "1.8 wide": {"wide": 1.8}, "3 wide, noise .15": {"wide": 3.0, "noise": 0.15},
    "2.4 wide, fall .3": {"fall": 0.3}, "1.2 wide": {"wide": 1.2},
}  # fmt: skip


def as_without_copies(frame: pd.DataFrame) -> tuple[GammaStarFit, GammaStarFit]:
    """The fit of the table and of its first copy alone."""
    return first_arm(frame), first_arm(frame[frame["seed"] < 1000])


def the_same(pair: tuple[GammaStarFit, GammaStarFit]) -> bool:
    """Whether both have one verdict and the same intervals."""
    one, other = (f.law for f in pair)
    return one.verdict == other.verdict and one.parameters == other.parameters


def chinchilla(frame: pd.DataFrame) -> Any:
    """The Chinchilla law of checkpoints."""
    return fit_table("chinchilla", frame, "N=N,D=D,L=L")


def formation(which: str, truth: float):
    """Whether the b of one of the two laws holds the truth."""

    def drawn(found: GammaStarFit) -> bool:
        b = found.law.data.get("formation", {}).get(which, {}).get("b")
        return b is not None and b[1] is not None and b[2] is not None and b[1] <= truth <= b[2]

    return drawn


def bimodal(found: GammaStarFit) -> bool:
    """Whether runs were said to form or not."""
    return found.law.data["bimodal"]


def b_given(found: GammaStarFit) -> bool:
    """Whether there is a b at all."""
    return found.law.parameters["b"].estimate is not None


def shallow(rng: np.random.Generator, rise: float, seeds: int = 5, noise: float = 0.05):
    """gamma* = 4.17 N^-.74 in a smooth valley that has risen by a share `rise` of the loss at e^2 times
    the best gamma."""
    x = np.log(np.array(FULL[1:]))
    rows = []
    for depth in planted.DEPTHS_8:
        centre = power()(np.array([depth]))[0]
        curve = (np.sqrt(1 + (x - centre) ** 2) - 1) / (np.sqrt(5) - 1)
        value = 1 + rise * np.concatenate((curve[:1], curve))
        for seed in range(seeds):
            drawn = value * np.exp(rng.normal(0, noise, len(value)))
            rows += [(depth, g, 2e-3, seed, v) for g, v in zip(FULL, drawn, strict=True)]
    frame = pd.DataFrame(rows, columns=["depth", "gamma", "lr", "seed", "val_loss"])
    frame["run_id"] = [f"run-{i}" for i in range(len(frame))]
    return frame.assign(arm="raw", task="simulated", width=64, chance=CHANCE, status="completed",
                        steps=1000, tokens=1_000_000)  # fmt: skip


def unit_tables() -> Iterator[Planted]:
    """Every kind of table."""
    for how in ("outcome", "loss", "nearly", "seeds"):
        for copies in (2, 3, 4):
            yield Planted(f"{copies} copies of a seed, by {how}",
                          partial(_copies, copies=copies, how=how),
                          (Conclusion("as without copies", the_same, 1.0),),
                          as_without_copies)  # fmt: skip
    yield Planted("checkpoints, 1 % a model", planted.checkpoints, (
        Conclusion("alpha covers .34", b_of(0.34, "alpha"), 0.9),
        Conclusion("supported", verdict("supported"), most=0.0),
    ), chinchilla)  # fmt: skip
    yield Planted("informative divergence", planted.informative_divergence,
                  (Conclusion("b covers .6", b_of(0.6), 0.9),))  # fmt: skip
    for name, changes in VALLEYS.items():
        yield Planted(f"flat valley, {name}", partial(planted.drifting_valley, **changes),
                      (Conclusion("b given", b_given, most=0.05),))  # fmt: skip
    # walls that bend less than the fitted form's: b is given, and covers in two of three
    for rise in (0.3, 0.1):
        yield Planted(f"smooth valley, a rise of {rise:.0%}", partial(shallow, rise=rise), (
            Conclusion("b given", b_given, 0.9), Conclusion("b covers .74", b_of(0.74), 0.5),
        ))  # fmt: skip
    yield Planted("formation peak moves", planted.moving_formation, (
        Conclusion("found", bimodal, 0.9),
        Conclusion("b of formed runs covers 0", formation("formed", 0.0), 0.9),
        Conclusion("b of formation covers .74", formation("formation", 0.74), 0.9),
        Conclusion("supported", verdict("supported"), most=0.0),
    ))  # fmt: skip
    for name, changes in SMOOTH.items():
        yield Planted(f"smooth runs, {name}", partial(_plain, changes=changes),
                      (Conclusion("called bimodal", bimodal, most=0.05),))  # fmt: skip


def _copies(rng: np.random.Generator, copies: int, how: str) -> pd.DataFrame:
    return planted.copied_seeds(FEW, copies, how, rng)


def _plain(rng: np.random.Generator, changes: dict[str, Any]) -> pd.DataFrame:
    return simulate(World("plain", power(), **changes), rng)
