"""The cost of a loss with momentum over its cost without, each side at its cheapest configuration.

Guarantee: a configuration (depth, width, momentum, rate) is chosen on half of the seeds and judged
on the other half, over random halves and resampled seeds, so that the side with more
configurations is not flattered; where a side doesn't reach the loss within its budget, what comes
back is a bound, never a ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.contrasts.settings import NONE, arms_of, plain_of, setting_columns, setting_label
from analysis.errors import InputError
from analysis.notebook import Shown
from analysis.tables.curves import log_steps, read_curves, tracks
from analysis.tables.read import source_name
from analysis.tables.table import Table
from analysis.tables.units import tuning_anywhere

UNITS = {"flops": "FLOPs", "params": "parameters", "wall_s": "time"}
LEVELS = 24
DRAWS, CHUNK = 400, 50
SEED = 20260204
LEVEL = 0.95


@dataclass(frozen=True)
class Side:
    """One arm's configurations. cost (C, S, L): ln cost of each loss in one unit, inf: not
    reached, NaN: not run; budget (C,): ln of what a whole run costs; labels: one a configuration."""

    cost: np.ndarray
    budget: np.ndarray
    labels: list[str]


@dataclass(frozen=True)
class Costs(Shown):
    """rows: one a (arm, unit, loss): ratio, low, high (None: unbounded), reached ("both",
    "with momentum", "without"), with_momentum and without (the costs), and their configurations."""

    task: str
    rows: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)


class CostsByTask(list[Costs], Shown):
    """The costs of each task of a table."""


def costs(task: str, table: Table) -> Costs:
    """The ratio at a grid of losses, for each arm and unit. Raises InputError where the table has
    no curves or no runs without momentum."""
    evaluations = read_curves(table.curves_path)
    if evaluations is None:
        raise InputError(
            f"{source_name(table.path)}: no {table.curves_path.name} beside it, which costs are read off"
        )
    runs, notes = prepared(table)
    runs = runs[runs["run_id"].isin(evaluations["run_id"])].reset_index(drop=True)
    if runs.empty:
        raise InputError(f"{table.curves_path}: holds none of the table's runs")
    arms = list(dict.fromkeys(runs["arm"]))
    if NONE not in arms:
        raise InputError(f"{table.path}: no run has γ = 0, so there is no cost without momentum")
    if len(arms) < 2:
        raise InputError(f"{table.path}: no run has momentum")
    losses = levels(runs, table)
    found = tracks(evaluations, "val_loss")
    none = np.empty((0, 2))
    steps = np.array([log_steps(found.get(r, none), losses) for r in runs["run_id"]])
    seeds = np.sort(runs["seed"].unique())
    if len(seeds) < 2:
        notes.append("one seed: chosen and judged on the same run, without an interval")
    rows = []
    units = [u for u in UNITS if u in runs.columns and runs[u].notna().all()]
    if "wall_s" in units:
        notes.append(
            "time is a run's share of the pack it was trained in, and plain attention was "
            "trained through the same filter"
        )
    for unit in units:
        sides = {arm: side(runs[runs["arm"] == arm], steps, seeds, unit) for arm in arms}
        for arm in arms:
            plain = plain_of(arm, arms)
            if plain is None:
                continue
            found = zip(losses, compare(sides[arm], sides[plain]), strict=True)
            rows += [{"task": task, "arm": arm, "unit": unit, "loss": float(loss), **ratio}
                     for loss, ratio in found if ratio]  # fmt: skip
    return Costs(task, rows, notes)


def prepared(table: Table) -> tuple[pd.DataFrame, list[str]]:
    """Reported runs, plain attention as the arm "none"; what was set aside."""
    runs = table.runs[table.runs["status"].isin(("completed", "diverged"))]
    tuning = tuning_anywhere(runs, table.primary.tuning_seeds)
    notes = list(table.notes)
    if tuning.any() and not tuning.all():
        notes.append(f"{int(tuning.sum())} runs on tuning seeds are left out")
        runs = runs[~tuning]
    return arms_of(runs.reset_index(drop=True)), notes


def levels(runs: pd.DataFrame, table: Table) -> np.ndarray:
    """Losses (L,) from near chance down to the least that an arm's median run ends at."""
    ends = runs[runs["status"] == "completed"]
    if ends.empty or (ends["val_loss"] <= 0).all():
        raise InputError(f"{table.path}: no completed run has a positive val_loss")
    ends = ends[ends["val_loss"] > 0]
    keys = [c for c in ("arm", "width", "depth", "gamma", "lr") if c in ends]
    low = float(ends.groupby(keys, dropna=False)["val_loss"].median().min())
    top = float(ends["val_loss"].max())
    if runs["chance"].notna().any():
        top = max(-np.log(float(runs["chance"].median())), low * 1.5)
    return np.geomspace(0.8 * top, low * 1.02, LEVELS)


def side(runs: pd.DataFrame, steps: np.ndarray, seeds: np.ndarray, unit: str) -> Side:
    """One arm's configurations in one unit. steps (R, L) by the table's row numbers."""
    columns = setting_columns(runs)
    keys = ["width", "depth", *columns]
    blocks, budget, labels = [], [], []
    wide = runs["width"].nunique() > 1
    for _, part in runs.groupby([runs[k].map(str) for k in keys], sort=False):
        block = np.full((len(seeds), steps.shape[1]), np.nan)
        at = np.searchsorted(seeds, part["seed"])
        block[at] = in_unit(part, steps[part.index], unit)
        whole = np.log(part["steps"].to_numpy(float))[:, None]
        blocks.append(block)
        budget.append(float(np.median(in_unit(part, whole, unit))))
        place = f"depth {part['depth'].iloc[0]}" + (
            f", width {part['width'].iloc[0]}" if wide else ""
        )
        labels.append(f"{place}, {setting_label(part, columns)}")
    return Side(np.array(blocks), np.array(budget), labels)


def in_unit(part: pd.DataFrame, steps: np.ndarray, unit: str) -> np.ndarray:
    """ln cost (n, L) of ln steps (n, L); parameters are a cost of the model, whatever the steps."""
    whole = np.log(part[unit].to_numpy(float))[:, None]
    if unit == "params":  # of models of one size the fastest is chosen
        return whole + 1e-6 * steps
    # a diverged run's FLOPs are those of its plan, its time that of what it ran
    planned = unit == "flops" and "budget.steps" in part.columns
    count = part["budget.steps" if planned else "steps"].to_numpy(float)
    return steps + whole - np.log(count)[:, None]


def compare(momentum: Side, plain: Side) -> list[dict[str, Any]]:
    """The ratio at each loss ({} where neither side reaches it)."""
    chosen, drawn = [], []
    for s in (momentum, plain):  # the same halves for both sides: runs of a seed share data
        found = [cheapest(s.cost, a, b) for a, b in halves(s.cost.shape[1])]
        chosen.append(np.concatenate([best for best, _ in found]))
        drawn.append(np.concatenate([cost for _, cost in found]))
    chosen, drawn = np.array(chosen), np.array(drawn)
    return [
        at_loss(drawn[:, :, k], chosen[:, :, k], momentum, plain) for k in range(drawn.shape[2])
    ]


def halves(seeds: int):
    """Chunks of draws (D, n) of the seeds that choose and of those that judge, resampled."""
    if seeds < 2:
        yield np.zeros((1, 1), int), np.zeros((1, 1), int)
        return
    rng = np.random.default_rng(SEED)
    for _ in range(DRAWS // CHUNK):
        order = rng.permuted(np.tile(np.arange(seeds), (CHUNK, 1)), axis=1)
        parts = order[:, : seeds // 2], order[:, seeds // 2 :]
        a, b = (np.take_along_axis(v, rng.integers(v.shape[1], size=v.shape), 1) for v in parts)
        yield a, b


def cheapest(cost: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The configuration (D, L) with the least median cost on seeds a (D, n), its median on b."""
    on_a = median(cost[:, a])
    best = np.argmin(np.where(np.isnan(on_a), np.inf, on_a), axis=0)
    on_b = np.take_along_axis(median(cost[:, b]), best[None], 0)[0]
    return best, np.where(np.isnan(on_b), np.inf, on_b)


def median(cost: np.ndarray) -> np.ndarray:
    """Median over axis 2 of (C, D, n, L), runs that are absent (NaN) left out; inf is not reached."""
    ordered = np.sort(cost, axis=2)  # NaN last
    there = (~np.isnan(cost)).sum(2)
    ends = [
        np.take_along_axis(ordered, at[:, :, None], 2)[:, :, 0]
        for at in (np.maximum((there - 1) // 2, 0), np.minimum(there // 2, cost.shape[2] - 1))
    ]
    return np.where(there > 0, (ends[0] + ends[1]) / 2, np.nan)


def at_loss(drawn: np.ndarray, chosen: np.ndarray, momentum: Side, plain: Side) -> dict[str, Any]:
    """One loss. drawn (2, D): ln cost with and without; chosen (2, D): configurations."""
    reached = np.isfinite(drawn)
    most = reached.mean(1) > 0.5
    if not most.any():
        return {}
    some = reached.any(0)
    with_, without = drawn[:, some]
    # a side that didn't get there would have cost more than the least of its budgets
    at_least = [s.budget.min() for s in (momentum, plain)]
    high = np.where(np.isfinite(without), with_ - without, with_ - at_least[1])
    low = np.where(np.isfinite(without), np.where(np.isfinite(with_), with_ - without,
                                                  at_least[0] - without), -np.inf)  # fmt: skip
    tail = (1 - LEVEL) / 2
    ends = (np.quantile(low, tail, method="nearest"), np.quantile(high, 1 - tail, method="nearest"))
    both = reached.all(0)
    names = [
        [s.labels[i] for i in c[r]]
        for s, c, r in zip((momentum, plain), chosen, reached, strict=True)
    ]
    exact = most.all() and both.any()
    return {
        "reached": "both" if most.all() else "with momentum" if most[0] else "without",
        "ratio": float(np.exp(np.median(drawn[0, both] - drawn[1, both]))) if exact else None,
        "low": finite(ends[0]) if len(low) > 1 or not exact else None,
        "high": finite(ends[1]) if len(low) > 1 or not exact else None,
        "with_momentum": finite(np.median(drawn[0])), "without": finite(np.median(drawn[1])),
        "configuration": commonest(names[0]), "plain": commonest(names[1]),
    }  # fmt: skip


def finite(log_value: float) -> float | None:
    return float(np.exp(log_value)) if np.isfinite(log_value) else None


def commonest(names: list[str]) -> str | None:
    return max(dict.fromkeys(names), key=names.count) if names else None
