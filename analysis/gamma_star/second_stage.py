"""From a tuning sweep's table to the second stage: per arm and depth one learning rate and a grid
of gamma about the optimum, printed as a sweep file that inherits the tuning sweep.

Guarantee: the choice uses the tuning table alone; what was chosen, and where it rests on an edge
of what was tuned, stands in the file's comments; the tuning grid stays part of the sweep, so that
the final table holds the rows the rates were chosen on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.gamma_star.learning_rate import LEAST_RATES, at_gamma, surface
from analysis.gamma_star.optimum import FLAT
from analysis.stats.minima import vertex
from analysis.tables.metrics import scale
from analysis.tables.table import Table
from analysis.text import number

SPAN = 5.0  # the grid's factor to either side of an interior optimum
BEYOND = 4.0  # and past the coarse grid's edge where the best lies there
LEAST_POINTS = 5  # positive gammas that the primary form needs


@dataclass(frozen=True)
class Tuned:
    """One (arm, width, depth): the chosen ln-centre of gamma (None: no interior optimum), its
    rate, the rate of gamma = 0 (None: not tuned), and the second stage's gammas."""

    arm: str
    width: int
    depth: int
    gamma: float | None
    lr: float
    zero_lr: float | None
    gammas: tuple[float, ...]
    notes: list[str] = field(default_factory=list)


def second_stage(table: Table, points: int = 6) -> list[Tuned]:
    """The choice of every (arm, width, depth). Raises InputError where there is nothing to choose."""
    if points < LEAST_POINTS:
        raise InputError(f"--points {points}: the fit needs {LEAST_POINTS} positive γ or more")
    runs = by_gamma(table.runs)
    if runs.empty or runs["lr"].nunique() < 2:
        raise InputError(f"{table.path}: one learning rate or no γ: nothing to tune")
    y = on_scale(runs, table.primary.metric)
    chosen = []
    for (arm, width, depth), index in runs.groupby(
        ["arm", "width", "depth"], sort=False
    ).indices.items():
        part = runs.iloc[index]
        if (part["gamma"] > 0).any():
            chosen.append(choose(str(arm), int(width), int(depth), part, y[index], points))
    if not chosen:
        raise InputError(f"{table.path}: no run has a γ above 0: nothing to tune")
    return sorted(
        chosen, key=lambda c: (list(dict.fromkeys(runs["arm"])).index(c.arm), c.width, c.depth)
    )


def by_gamma(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows whose momentum is set by a gamma of 0 or above (not learned, no angle, no taps)."""
    keep = runs["gamma"] >= 0
    for other in ("model.momentum.angle", "model.momentum.taps"):
        if other in runs.columns:
            keep &= runs[other].isna()
    return runs[keep].reset_index(drop=True)


def on_scale(runs: pd.DataFrame, metric: str) -> np.ndarray:
    """The metric on its scale (R,), less is better; a diverged run as bad as the worst of all."""
    scaled = scale(runs, metric)
    y = np.where(runs["status"] == "completed", scaled.y, np.nan)
    if not np.isfinite(y).any():
        raise InputError(f"no run completed with a finite {metric}: nothing to tune")
    worst = np.nanmax(y) if scaled.ceiling is None else max(np.log(scaled.ceiling), np.nanmax(y))
    return np.where(runs["status"] == "diverged", worst, y)


def choose(
    arm: str, width: int, depth: int, part: pd.DataFrame, y: np.ndarray, points: int
) -> Tuned:
    """One cell's rate and grid. part, y (R,): its runs."""
    best = surface(part, y)
    frame = pd.DataFrame({"gamma": part["gamma"].to_numpy(), "lr": part["lr"].to_numpy(), "y": y})
    # the best rate of each gamma: the coarse curve
    curve = frame.dropna().groupby(["gamma", "lr"])["y"].mean().groupby("gamma").min()
    if not (curve.index > 0).any():
        raise InputError(f"arm {arm}, depth {depth}: no finished run with a γ above 0")
    x, z = np.log(curve[curve.index > 0].index.to_numpy(float)), curve[curve.index > 0].to_numpy()
    at = int(np.argmin(z))
    left = curve.to_numpy()[curve.index < np.exp(x[at]) - 1e-12]  # gamma = 0 counts as a side
    right = z[at + 1 :]
    rises = [bool(len(v)) and v.max() - z[at] > FLAT for v in (left, right)]
    notes = []
    if all(rises):
        centre = near_best(x, z, at)
        gamma, gammas = (
            float(np.exp(centre)),
            np.geomspace(1 / SPAN, SPAN, points) * np.exp(centre),
        )
    else:
        ends = (x[0] - np.log(BEYOND) * (not rises[0]), x[-1] + np.log(BEYOND) * (not rises[1]))
        gamma, gammas = None, np.exp(np.linspace(*ends, points))
        side = "either side" if not any(rises) else "the right" if rises[0] else "the left"
        notes.append(f"no interior optimum (no rise to {side}): the coarse range, extended")
    wanted, tested = at_gamma(best, float(np.exp(x[at])) if gamma is None else gamma)
    if wanted <= np.log(tested[0]) + 1e-9 or wanted >= np.log(tested[-1]) - 1e-9:
        end = "smallest" if wanted <= np.log(tested[0]) + 1e-9 else "largest"
        notes.append(f"EDGE: the {end} rate tried; try rates beyond it")
    if len(tested) < LEAST_RATES:
        notes.append(f"{len(tested)} rates tried; {LEAST_RATES} are needed")
    ends = np.array([at_gamma(best, float(g))[0] for g in (min(gammas), max(gammas))])
    off = float(np.exp(np.abs(ends - wanted).max()))
    if off > 2:
        notes.append(f"the grid's ends want a rate {number(off, 2)} times off this one")
    zero = [w for g, w, _ in best if g == 0]
    return Tuned(arm, width, depth, gamma, rounded(np.exp(wanted)),
                 rounded(np.exp(zero[0])) if zero else None,
                 tuple(dict.fromkeys(rounded(g) for g in gammas)), notes)  # fmt: skip


def near_best(x: np.ndarray, z: np.ndarray, at: int) -> float:
    """ln gamma of the parabola through the best point and its neighbours, never nearer to a neighbour
    that was worse than to the best."""
    if not 0 < at < len(x) - 1:
        return float(x[at])
    near = slice(at - 1, at + 2)
    half = (x[near] - x[at]) / 2
    return float(x[at] + np.clip(vertex(x[near], z[near]) - x[at], half[0], half[-1]))


def rounded(value: float) -> float:
    """Three significant digits: what stands in the file is what is trained."""
    return float(f"{value:.3g}")
