"""A plan put before the fit: from a pilot table and the cells asked for to what b would be known to, how
often each verdict would be given, and what the runs would cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.gamma_star import learning_rate
from analysis.gamma_star.cells import cells_of
from analysis.gamma_star.curve import PRIMARY_FORM
from analysis.gamma_star.curve_fit import fit_curves, usable
from analysis.gamma_star.depth_law import enough, points_of, power_design
from analysis.gamma_star.design import Outcomes, simulate
from analysis.gamma_star.optimum import optima
from analysis.gamma_star.pilot import of_fits
from analysis.gamma_star.precision import Noise, Planned, Precision, TrueLaw, half_widths
from analysis.stats.censored_line import regress
from analysis.tables.metrics import scale
from analysis.tables.sweep_grid import read_grid
from analysis.tables.table import Table

COSTS = {"flops": "FLOPs", "wall_s": "s of training"}


@dataclass(frozen=True)
class Plan:
    """planned cells of `arm`; tuning: runs of seeds that tune, on top of them; noise, law: assumed;
    precision with the seeds planned, twice and four times as many; outcomes of the simulated
    sweeps; cost: by unit, of all the runs (without the units that the pilot lacks)."""

    arm: str
    metric: str
    planned: Planned
    tuning: int
    noise: Noise
    law: TrueLaw
    precision: dict[int, Precision]
    outcomes: Outcomes
    cost: dict[str, float]


def plan(
    pilot: Table, cells: pd.DataFrame, arm: str | None = None, a: float | None = None,
    b: float | None = None, replicates: int = 200, seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:  # fmt: skip
    """What `cells` (a row a run: depth, gamma, seed, tunes) would tell of the pilot's arm.

    arm: by default the pilot's first. a, b: the law assumed, by default the pilot's own. Raises
    InputError where the pilot tells no noise or no law, or the cells bear no curve.
    """
    arm = arm or str(pilot.runs["arm"].iloc[0])
    noise, law = of_pilot(pilot, arm, a, b)
    runs = cells[~cells["tunes"] & cells["gamma"].ge(0)]
    depths = np.sort(runs["depth"].dropna().unique())
    if len(depths) < 3:
        raise InputError(f"{len(depths)} depths planned: a slope needs 3")
    parts = [runs[runs["depth"] == d] for d in depths]
    gammas = tuple(np.sort(p["gamma"].unique()) for p in parts)
    seeds = np.array([int(p.groupby("gamma")["seed"].nunique().median()) for p in parts])
    planned = Planned(depths, gammas, seeds)
    if seeds.min() < 2:
        raise InputError("one seed a cell: an interval needs two or more")
    found = half_widths([planned.times(m) for m in (1, 2, 4)], noise, law, seed=seed)
    outcomes = simulate(planned, noise, law, replicates, seed, progress)
    count = cells.groupby("depth").size()
    return Plan(arm, pilot.primary.metric, planned, int(cells["tunes"].sum()), noise, law,
                dict(zip((1, 2, 4), found, strict=True)), outcomes,
                {unit: total for column, unit in COSTS.items()
                 if (total := cost(pilot.runs, column, count)) is not None})  # fmt: skip


def of_pilot(pilot: Table, arm: str, a: float | None, b: float | None) -> tuple[Noise, TrueLaw]:
    """The pilot's noise and law, the law's a and b replaced where they are given."""
    runs = pilot.runs[(pilot.runs["arm"] == arm) & (pilot.runs["gamma"] >= 0)]
    if runs.empty:
        known = ", ".join(pilot.runs["arm"].drop_duplicates())
        raise InputError(f"{pilot.path}: no runs of arm {arm!r} with a gamma; arms: {known}")
    if runs["width"].nunique() > 1:
        raise InputError(f"{pilot.path}: several widths; choose one with --where 'width == ...'")
    runs = runs.reset_index(drop=True)
    scaled = scale(runs, pilot.primary.metric)
    chosen = learning_rate.choose(runs, scaled.y, pilot.primary.tuning_seeds)
    use = chosen.use & (runs["status"] == "completed").to_numpy()
    groups = [c for c in cells_of(runs, scaled, use) if usable(c, PRIMARY_FORM)]
    if not groups:
        raise InputError(f"{pilot.path}: no depth of arm {arm} has 5 gammas above 0: no pilot")
    fits = fit_curves(groups, PRIMARY_FORM, None)
    found = optima(fits)
    inside = np.array([o.kind == "interior" for o in found])
    points = points_of(found)
    depth_sd = 0.0
    if enough(points):
        line = regress(points, power_design(points))
        own = line.coefficients
        depth_sd = line.tau
    elif inside.sum() == 2:
        seen = points.only(points.interior)
        own = np.linalg.solve(power_design(seen), seen.value)
    elif inside.any() and b is not None:
        seen = points.only(points.interior)
        own = np.array([float(np.mean(seen.value + b * np.log(seen.depth))), b])
    elif a is not None and b is not None:
        own = np.array([np.log(a), b])
    else:
        raise InputError(f"{pilot.path}: {int(inside.sum())} depths of arm {arm} have an optimum inside "
                         "the grid: give the law to assume, --a and --b")  # fmt: skip
    if b is not None and a is None and inside.any():  # the level stays that of the pilot's depths
        seen = points.only(points.interior)
        own = np.array([float(np.mean(seen.value + b * np.log(seen.depth))), b])
    level = float(np.exp(own[0])) if a is None else a
    return of_fits(fits, inside, level, float(own[1]) if b is None else b, depth_sd)


def cost(runs: pd.DataFrame, column: str, count: pd.Series) -> float | None:
    """The sum over planned runs (by depth) of what the pilot's runs cost, a power of depth between
    and beyond the pilot's depths; None where the pilot doesn't say."""
    if column not in runs.columns:
        return None
    known = pd.to_numeric(runs[column], errors="coerce")
    done = (runs["status"] == "completed") & (known > 0)
    mean = known[done].groupby(runs["depth"][done]).mean()
    if mean.empty:
        return None
    x, y = np.log(mean.index.to_numpy(float)), np.log(mean.to_numpy(float))
    slope, level = np.polyfit(x, y, 1) if len(x) > 1 else (0.0, y[0])
    return float((np.exp(level + slope * np.log(count.index.to_numpy(float))) * count).sum())


def cells_of_sweep(path: str | Path, arm: str) -> pd.DataFrame:
    """The runs of one arm that a sweep file plans."""
    grid, tuning = read_grid(path)
    mine = grid[grid["arm"].isna() | (grid["arm"].astype(str) == arm)]
    if "model.momentum.arm" in grid.columns and grid["arm"].isna().all():
        mine = grid[grid["model.momentum.arm"].astype(str) == arm]
    mine = mine[mine["gamma"].notna() & mine["depth"].notna()]
    if mine.empty:
        raise InputError(f"{path}: plans no runs of arm {arm!r} with a depth and a gamma")
    if mine["width"].nunique() > 1:
        raise InputError(f"{path}: plans several widths; give --depths, --gammas and --seeds")
    tunes = mine["seed"].isin(tuning)
    if tunes.all():
        raise InputError(f"{path}: all its seeds tune; plan the second stage (`analysis tune`)")
    return mine.assign(tunes=tunes)


def cells_of_lists(depths: list[float], gammas: list[float], seeds: int) -> pd.DataFrame:
    """The runs of a full grid."""
    rows = [(d, g, s, False) for d in depths for g in gammas for s in range(seeds)]
    return pd.DataFrame(rows, columns=["depth", "gamma", "seed", "tunes"])
