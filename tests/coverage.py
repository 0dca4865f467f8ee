"""`python -m tests.coverage`: does the nominal 95 % interval of b cover, and is a law called
"supported" when, and only when, it is one?

Simulated sweeps (tests/worlds.py) go through the whole fit. Seeds are fixed: the same numbers
come out each time. `--replicates` sets how many of each; a short form runs in the tests.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy.stats import binom

from analysis.gamma_star import fit
from tests.planted_results import counted, tables
from tests.planted_units import unit_tables
from tests.worlds import CENSORED, DEPTHS_5, DEPTHS_8, FULL, World, power, table_of

B = 0.74
NOISES = {
    "independent": {},
    "seed-level": {"seed_sd": 0.12},
    "between-depth": {"depth_sd": 0.1},
    "seed and depth": {"seed_sd": 0.12, "depth_sd": 0.1},
}
GRIDS = {"full": FULL, "censored": CENSORED}


@dataclass(frozen=True)
class Covered:
    """How often b's interval held the truth over `told` sweeps that gave one."""

    name: str
    cover: float
    told: int
    refused: int
    width: float
    mean: float
    seconds: float

    def line(self) -> str:
        """One row for the screen."""
        return (f"{self.name:<46} covers {self.cover:6.1%} of {self.told:4d} "
                f"(refused {self.refused}), median width {self.width:.3f}, "
                f"mean b {self.mean:.3f}, {self.seconds:.2f} s each")  # fmt: skip


def coverage(world: World, replicates: int, name: str, seed: int = 0) -> Covered:
    """The share of intervals of b that hold the truth."""
    hits, widths, estimates, refused = [], [], [], 0
    start = time.perf_counter()
    for i in range(replicates):
        table = table_of([world], np.random.default_rng([seed, i]))
        b = fit(table, explore=False).laws[0].parameters["b"]
        if b.low is None or b.high is None:
            refused += 1
            continue
        hits.append(b.low <= B <= b.high)
        widths.append(b.high - b.low)
        estimates.append(b.estimate)
    each = (time.perf_counter() - start) / max(replicates, 1)
    if not hits:
        return Covered(name, float("nan"), 0, refused, float("nan"), float("nan"), each)
    return Covered(name, float(np.mean(hits)), len(hits), refused, float(np.median(widths)),
                   float(np.mean(estimates)), each)  # fmt: skip


def consistent(hits: int, told: int, low: float = 0.93, high: float = 0.99) -> bool:
    """Whether a true coverage in [low, high] explains `hits` of `told` (each side at 2.5 %)."""
    return bool(binom.cdf(hits, told, low) > 0.025 and binom.sf(hits - 1, told, high) > 0.025)


def softmax_scale(n: np.ndarray) -> np.ndarray:
    """ln gamma where N ln((1 + gamma)^2 + gamma^2) = 4: the trial's raw arm."""
    return np.log((np.sqrt(2 * np.exp(4 / n) - 1) - 1) / 2)


def nowhere(n: np.ndarray) -> np.ndarray:
    """More is better at every gamma: norm matching with no finite optimum."""
    return np.full(len(n), np.log(60.0))


# truth name -> the arms of its sweep; the first is the one judged.
TRUTHS: dict[str, list[World]] = {
    "power law": [World("power", power(4.17, B))],
    "power law, norm matched too": [
        World("power", power(4.17, B)), World("matched", power(4.17, B), arm="norm_matched"),
        World("gain", nowhere, arm="gain_only"),
    ],
    "constant": [World("constant", lambda n: np.full(len(n), 0.0))],
    "step at N = 1": [World("step", lambda n: np.where(n == 1, np.log(3), 0.0))],
    "exponential": [World("exponential", lambda n: np.log(3) - 0.15 * n)],
    "offset power": [World("offset", lambda n: np.log(0.5 + 3.5 / n))],
    "softmax scale only": [
        World("softmax", softmax_scale), World("matched", nowhere, arm="norm_matched"),
    ],
    "softmax scale only, raw arm alone": [World("softmax", softmax_scale)],
    "one mistuned learning rate": [
        World("mistuned", lambda n: np.full(len(n), 0.5), tuned=False, lr_shift=-2.4),
    ],
}  # fmt: skip


def verdicts(worlds: list[World], replicates: int, seed: int = 1) -> Counter:
    """How often each verdict was given to the first arm."""
    found: Counter = Counter()
    for i in range(replicates):
        result = fit(table_of(worlds, np.random.default_rng([seed, i])), explore=False)
        found[result.laws[0].verdict] += 1
    return found


def main(argv: list[str] | None = None) -> int:
    """Print every scenario's line; exit status 1 where one lies outside its bounds, coverage by
    more than its Monte-Carlo error explains."""
    parser = argparse.ArgumentParser(prog="python -m tests.coverage", description=__doc__)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--shape", default="two_sided", choices=("two_sided", "skewed"),
                        help="the simulated curve: the form that is fitted, or another")  # fmt: skip
    parser.add_argument("--only", choices=("coverage", "verdicts"))
    parser.add_argument("--planted", action="store_true",
                        help="what is concluded of the planted tables instead (tests/planted.py)")  # fmt: skip
    given = parser.parse_args(argv)
    ok = True
    if given.planted:
        for planted in chain(tables(), unit_tables()):
            for line, within in counted(planted, given.replicates):
                print(line if within else f"{line}  OUTSIDE", flush=True)
                ok &= within
        print("within bounds" if ok else "OUTSIDE the bounds", flush=True)
        return 0 if ok else 1
    if given.only != "verdicts":
        for depths in (DEPTHS_5, DEPTHS_8):
            for grid, gammas in GRIDS.items():
                for noise, changes in NOISES.items():
                    world = World("power", power(4.17, B), depths=depths, gammas=gammas,
                                  tuned=False, shape=given.shape, **changes)  # fmt: skip
                    name = f"{len(depths)} depths, {grid} grid, {noise} noise"
                    found = coverage(world, given.replicates, name)
                    print(found.line(), flush=True)
                    ok &= consistent(round(found.cover * found.told), found.told)
    if given.only != "coverage":
        for name, worlds in TRUTHS.items():
            worlds = [w.but(shape=given.shape) for w in worlds]
            found = verdicts(worlds, given.replicates)
            share = found["supported"] / given.replicates
            print(f"{name:<34} 8 depths: supported {share:6.1%}  {dict(found)}", flush=True)
            ok &= share >= 0.8 if name.startswith("power") else share <= 0.05
        few = verdicts([World("few", power(4.17, B), depths=(1, 2, 4, 8, 16))], given.replicates)
        print(f"{'power law':<34} 5 depths: supported {few['supported']}  {dict(few)}")
        ok &= few["supported"] == 0
    print("within bounds" if ok else "OUTSIDE the bounds", flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
