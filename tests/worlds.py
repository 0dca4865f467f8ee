"""Simulated sweeps whose truth is known, in the table's columns.

The curve of a world is not the form that is fitted: a logistic in a skewed quadratic of ln gamma
that flattens towards gamma = 0, so that coverage holds for a form that is only near the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.tables.table import Table, from_frame

DEPTHS_5 = (1, 2, 3, 4, 6)
DEPTHS_8 = (1, 2, 3, 4, 6, 8, 12, 16)
FULL = (0.0, *np.geomspace(0.02, 20, 13).round(4))
# The grid ends below the optima of the shallow depths: with a = 4.17 and b = .74 those of
# depths 1 and 2 of 1, 2, 3, 4, 6 lie past its end.
CENSORED = (0.0, *np.geomspace(0.05, 3.0, 11).round(4))
CHANCE = 1 / 32
RATES = np.geomspace(5e-4, 8e-3, 5)
Truth = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class World:
    """truth: ln gamma* of N. noise: SD of ln loss; seed_sd: SD of ln gamma* between seeds of a
    depth; depth_sd: between depths. tuned: five rates on seed 0, the best on the others; else one
    rate for all depths, which moves ln gamma* by lr_shift x ln(rate / best rate)."""

    name: str
    truth: Truth
    depths: tuple[int, ...] = DEPTHS_8
    gammas: tuple[float, ...] = FULL
    seeds: int = 5
    noise: float = 0.1
    seed_sd: float = 0.0
    depth_sd: float = 0.0
    arm: str = "raw"
    tuned: bool = True
    lr_shift: float = 0.0
    shape: str = "skewed"

    def but(self, **changes) -> World:
        """The same world, changed."""
        return replace(self, **changes)


def power(a: float = 4.17, b: float = 0.74) -> Truth:
    """ln a - b ln N."""
    return lambda n: np.log(a) - b * np.log(n)


def loss(x: np.ndarray, theta: float, depth: float, shape: str) -> np.ndarray:
    """Cross-entropy at ln gamma x (-inf for 0) with its minimum at theta.

    "skewed": a form that isn't the one fitted; "two_sided": the one that is.
    """
    top = np.log(1 / CHANCE)
    zero = 0.05  # gammas well below this do what gamma = 0 does
    v = np.log(np.exp(x) + zero) - np.log(np.exp(theta) + zero)
    if shape == "two_sided":
        psi = np.logaddexp(np.log(1.4) - 1.8 * v, np.log(1.8) + 1.4 * v) - np.log(3.2)
        return 0.03 + (top - 0.03) / (1 + np.exp(4.5 - psi))
    floor = 0.02 + 0.01 * np.log(depth)
    bend = (1.2 + 0.3 * np.tanh(v)) * v**2 / (1 + 0.25 * np.abs(v))
    return floor + (top - floor) / (1 + np.exp(4.5 - 1.3 * bend))


def simulate(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """One arm's rows of a table."""
    depths = np.array(world.depths, float)
    theta = world.truth(depths) + rng.normal(0, world.depth_sd, len(depths))
    with np.errstate(divide="ignore"):
        x = np.log(np.array(world.gammas))
    rows = []
    for depth, centre in zip(depths, theta, strict=True):
        best = 3e-3 * depth**-0.3  # deeper wants less
        shift = rng.normal(0, world.seed_sd, world.seeds + 1)
        if world.tuned:
            nearest = RATES[np.argmin(np.abs(np.log(RATES / best)))]
            runs = [(seed, nearest) for seed in range(1, world.seeds + 1)]
            runs += [(0, rate) for rate in RATES]
        else:
            runs = [(seed, 3e-3) for seed in range(world.seeds)]
        for seed, rate in runs:
            wrong = np.log(rate / best)
            at = centre + shift[seed] + (0 if world.tuned else world.lr_shift * wrong)
            value = loss(x, at, depth, world.shape) * np.exp(0.4 * wrong**2 * world.tuned)
            value = value * np.exp(rng.normal(0, world.noise, len(x)))
            rows += [(int(depth), float(g), float(rate), seed, float(v))
                     for g, v in zip(world.gammas, value, strict=True)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["depth", "gamma", "lr", "seed", "val_loss"])
    frame["run_id"] = [f"{world.arm}-{i}" for i in range(len(frame))]
    return frame.assign(
        arm=world.arm, task="simulated", width=64, chance=CHANCE, status="completed",
        steps=1000, tokens=1_000_000,
    )  # fmt: skip


def table_of(worlds: list[World], rng: np.random.Generator) -> Table:
    """A checked table of one arm a world."""
    return from_frame(pd.concat([simulate(w, rng) for w in worlds]), {}, Path("simulated.parquet"))
