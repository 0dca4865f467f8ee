"""A second stage as the text of a sweep file: small, because it inherits the tuning sweep."""

from __future__ import annotations

import re

import pandas as pd

from analysis.errors import InputError
from analysis.gamma_star.second_stage import Tuned, by_gamma
from analysis.tables.table import Table

# What the grid sets itself; the other columns of the config come with the tuning sweep.
SET = ("model.depth", "optim.lr", "seed", "seed_init", "seed_data")
SAME = 1.1  # rates within this factor are one: gamma = 0 then stands in its depth's grid


def overridden(runs: pd.DataFrame) -> set[str]:
    """The columns that a sweep's own grid varies besides momentum, rate and seed: of all its rows,
    also those that --where leaves out, since the file inherits that sweep."""
    own = [
        c
        for c in runs.columns
        if c == "task" or c.startswith(("model.", "optim.", "task.", "budget."))
    ]
    own = [c for c in own if not c.startswith("model.momentum.") and c not in SET]
    return {c for c in own if runs[c].map(str).nunique() > 1 and c != "task._target_"}


def render(table: Table, chosen: list[Tuned], seeds: str, name: str | None,
           varying: set[str]) -> str:  # fmt: skip
    """The file: a comment on each choice, then the tuning grid and one grid a choice.

    varying: what `overridden` found; seeds: "0-7" or "8". Raises InputError where seeds were tuned
    on or can't be read.
    """
    tuned_on = sorted(int(s) for s in table.runs["seed"].unique())
    fresh = span(seeds)
    both = sorted(set(fresh) & set(tuned_on))
    if both:
        raise InputError(f"--seeds {seeds}: seed {both[0]} was tuned on; name fresh ones")
    if not re.fullmatch(r"[\w.-]+", table.sweep):
        raise InputError(
            f"{table.path}: its rows belong to {table.sweep!r}; tune one sweep's table"
        )
    wide = table.runs["width"].nunique() > 1
    lines = [
        f"# Second stage of {table.sweep}, by `analysis tune` from {table.path.name}: per arm and depth",
        f"# the rate that seeds {', '.join(map(str, tuned_on))} want at the gamma of the best",
        f"# {table.primary.metric}, and gammas about it on fresh seeds; gamma = 0 at the rate it wants.",
        "# The first grids are the tuning sweep's own.",
    ]
    absent = [arm for arm in table.runs["arm"].unique() if arm not in {c.arm for c in chosen}]
    if absent:
        lines.append(f"# Left out, having no scan over gamma > 0: {', '.join(absent)}")
    for c in chosen:
        best = "no optimum" if c.gamma is None else f"gamma* ~ {c.gamma:.3g}"
        place = f"depth {c.depth}" + (f", width {c.width}" if wide else "")
        zero = "" if c.zero_lr is None else f" (gamma = 0 wants {c.zero_lr:g})"
        lines.append(f"#   {c.arm}, {place}: {best}, lr {c.lr:g}{zero}")
        lines += [f"#     {note}" for note in c.notes]
    lines += ["defaults:", f"  - {table.sweep}", "  - _self_", "", "sweep:",
              f"  name: {name or 'null'}", "  law:", f"    tuning_seeds: {tuned_on}", "",
              "hydra:", "  sweeper:", "    grids:"]  # fmt: skip
    for grid in [
        *tuning_grids(table.runs, varying),
        *main_grids(table.runs, chosen, fresh, varying),
    ]:
        body = ", ".join(f"{key}: {value}" for key, value in grid.items())
        lines.append(f"      - {{{body}}}")
    return "\n".join(lines) + "\n"


def span(text: str) -> list[int]:
    """ "0-7" or "8" as numbers. Raises InputError."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise InputError(f"--seeds {text}: write a range such as 0-7")
    return list(range(int(match[1]), int(match[2] or match[1]) + 1))


def main_grids(runs: pd.DataFrame, chosen: list[Tuned], seeds: list[int], varying: set[str]):
    """The fresh seeds: each choice's gammas at its rate; gamma = 0 at its own."""
    at = f"'range({seeds[0]},{seeds[-1] + 1})'"
    for c in chosen:
        place = {"model/momentum": c.arm, **shape_of(runs, c.arm, c.width, c.depth, varying)}
        zero = c.zero_lr  # None: the tuning sweep trains plain attention in another arm
        if zero is None:
            grids = [(c.gammas, c.lr)]
        elif max(zero, c.lr) < SAME * min(zero, c.lr):
            grids = [((0.0, *c.gammas), c.lr)]
        else:
            grids = [((0.0,), zero), (c.gammas, c.lr)]
        for gammas, lr in grids:
            yield {**place, "model.momentum.gamma": listed(gammas), "optim.lr": exact(lr),
                   "seed": at}  # fmt: skip


def tuning_grids(runs: pd.DataFrame, varying: set[str]):
    """The table's own runs as products; (arm, depth)s and gammas of the same rates share one."""
    rows: dict[tuple, list] = {}
    cells = by_gamma(runs).groupby(["arm", "width", "depth", "gamma"], sort=False)
    rated: dict[tuple, dict[tuple, list[float]]] = {}
    for (arm, width, depth, gamma), part in cells:
        product = (tuple(sorted(part["lr"].unique())), tuple(sorted(part["seed"].unique())))
        rated.setdefault((arm, width, depth), {}).setdefault(product, []).append(gamma)
    for (arm, width, depth), products in rated.items():
        for (rates, seeds), gammas in products.items():
            rows.setdefault((arm, width, tuple(sorted(gammas)), rates, seeds), []).append(depth)
    for (arm, width, gammas, rates, seeds), depths in rows.items():
        shapes = [shape_of(runs, arm, width, d, varying) for d in sorted(depths)]
        alike = all({**s, "model.depth": 0} == {**shapes[0], "model.depth": 0} for s in shapes)
        if alike:
            shapes = [{**shapes[0], "model.depth": listed(sorted(depths))}]
        for shape in shapes:
            yield {"model/momentum": arm, **shape, "model.momentum.gamma": listed(gammas),
                   "optim.lr": listed(rates), "seed": listed(seeds)}  # fmt: skip


def shape_of(
    runs: pd.DataFrame, arm: str, width: int, depth: int, varying: set[str]
) -> dict[str, object]:
    """The overrides that make a cell's model: depth, width, and what else varies over the table."""
    part = runs[(runs["arm"] == arm) & (runs["width"] == width) & (runs["depth"] == depth)]
    found: dict[str, object] = {"model.depth": depth}
    for column in runs.columns:
        if column in varying:
            if part[column].map(str).nunique() > 1:
                raise InputError(f"arm {arm}, depth {depth}: {column} varies within it; split the "
                                 "table with --where")  # fmt: skip
            value = part[column].iloc[0]
            if pd.isna(value) and column.startswith("task."):
                continue  # another task's
            said = exact(value) if isinstance(value, float) else value
            found[column] = "null" if pd.isna(value) else said
    return found


def listed(values) -> str:
    """One value plainly, several as a quoted comma list, which is Hydra's grammar."""
    said = [exact(v) for v in values]
    return said[0] if len(said) == 1 else f"'{','.join(said)}'"


def exact(value: float) -> str:
    """The shortest text that reads back as the same number, so that runs keep their ids."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))
