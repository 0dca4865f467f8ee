"""How often isoflop's intervals hold the planted exponent, at the shapes of a published table: no test,
`python -m` this module.

Ten budgets, each twice the one before, as in Porian et al. 2024, 9 sizes about each optimum; the loss is
E + A N^-alpha + B D^-beta with D = C / 6 N, so that ln N* is linear in ln C.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.forms.choices import Choices
from analysis.forms.law import fit_table

ALPHA, BETA = 0.34, 0.37
E, A, B = 1.8, 480.0, 2100.0
TRUTH = BETA / (ALPHA + BETA)
BUDGETS = 1.25e16 * 2.0 ** np.arange(10)
REACH = (-1.6, 1.6)  # ln N about the optimum
SCENES = {
    "no scatter": {}, "scatter .1 between budgets": {"scatter": 0.1},
    "scatter .1, the two smallest budgets bounds": {"scatter": 0.1, "bounds": 2},
    "scatter .1, the four smallest budgets bounds": {"scatter": 0.1, "bounds": 4},
    "noise .006, scatter .1": {"scatter": 0.1, "noise": 0.006},
}  # fmt: skip


def best(flops: float) -> float:
    """ln N* at a budget."""
    ratio = np.log(ALPHA * A / (BETA * B)) / (ALPHA + BETA)
    return ratio + TRUTH * np.log(flops / 6)


def table(
    rng: np.random.Generator, noise: float = 0.002, scatter: float = 0.0, bounds: int = 0,
    sizes: int = 9,
) -> pd.DataFrame:  # fmt: skip
    """Rows C, N, L. scatter: SD of ln N* between budgets; bounds: that many of the smallest budgets
    were tried at sizes above their optimum alone."""
    rows = []
    for i, flops in enumerate(BUDGETS):
        shift = rng.normal(0, scatter)
        x = np.linspace(0.1 if i < bounds else REACH[0], REACH[1], sizes) + best(flops)
        n = np.exp(x)
        seen = np.exp(x - shift)
        loss = E + A * seen**-ALPHA + B * (flops / 6 / seen) ** -BETA
        rows += [(flops, a, b * np.exp(rng.normal(0, noise))) for a, b in zip(n, loss, strict=True)]
    return pd.DataFrame(rows, columns=["C", "N", "L"])


def covered(minimum: str, replicates: int, **world) -> str:
    """How many intervals of the exponent hold the truth, their median width, the bounds found."""
    hits, widths, refused, bounded = 0, [], 0, []
    for i in range(replicates):
        try:
            law = fit_table(
                "isoflop", table(np.random.default_rng([5, i]), **world), "C=C,N=N,L=L",
                Choices(minimum=minimum),
            ).law  # fmt: skip
        except InputError:
            refused += 1
            continue
        p = law.parameters["exponent"]
        if p.low is None or p.high is None:
            refused += 1
            continue
        hits += p.low <= TRUTH <= p.high
        widths.append(p.high - p.low)
        bounded.append(sum(b["kind"] != "interior" for b in law.data["budgets"]))
    told = replicates - refused
    return (
        f"covers {hits} of {told} (no interval {refused}), median width {np.median(widths):.3f}, "
        f"bounds {np.mean(bounded):.1f} of {len(BUDGETS)}"
    )


def main() -> None:
    """Print a line for each scene and way to the minimum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=100)
    given = parser.parse_args()
    for name, world in SCENES.items():
        for minimum in ("spline", "parabola"):
            print(
                f"{name:<46} {minimum:<9} {covered(minimum, given.replicates, **world)}", flush=True
            )


if __name__ == "__main__":
    main()
