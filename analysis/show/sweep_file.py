"""A second stage as the text of a sweep file that stands alone: it says every setting that the tuning
runs shared and what makes each arm, so that it composes to their configs with new rates and seeds.
"""

from __future__ import annotations

import json
import re

import pandas as pd
import yaml

from analysis.errors import InputError
from analysis.gamma_star.second_stage import Tuned, by_gamma
from analysis.tables.settings import PLAIN, SINGLE, Settings, value
from analysis.tables.table import Table

GAMMAS = ("model.momentum.gamma", "model.gamma")
"""Where our model has its gamma, and one of a user's own."""
SWEPT = (*GAMMAS, "optim.lr", "model.depth")
"""What the grids set themselves."""
SAME = 1.1  # rates within this factor are one: gamma = 0 then stands in its depth's grid


class Quoting(yaml.SafeDumper):
    """Texts in quotes but for plain words: Hydra reads some that YAML does not (1e-3) as numbers."""


Quoting.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if PLAIN.fullmatch(text) else '"'
    ),
)


class Grid(dict):
    """One entry of a union of grids, on one line of the file."""


Quoting.add_representer(
    Grid,
    lambda dumper, grid: dumper.represent_mapping("tag:yaml.org,2002:map", grid, flow_style=True),
)


def render(table: Table, chosen: list[Tuned], seeds: str, name: str | None) -> str:
    """The file: a comment on each choice, the settings, then the tuning runs' grids and one grid a
    choice.

    seeds: "0-7" or "8". Raises InputError where seeds were tuned on or can't be read, and where the
    table does not say what its runs were.
    """
    runs = by_gamma(table.runs)
    tuned_on = sorted(int(s) for s in table.runs["seed"].unique())
    fresh = span(seeds)
    both = sorted(set(fresh) & set(tuned_on))
    if both:
        raise InputError(f"--seeds {seeds}: seed {both[0]} was tuned on; name fresh ones")
    settings = Settings(runs, SWEPT, table.where is not None)
    law = {k: v for k, v in vars(table.primary).items() if v is not None}
    content = {
        "defaults": ["config", *_defaults(settings), "_self_"],
        "sweep": {"name": name, "law": {**law, "tuning_seeds": tuned_on}},
        **settings.shared,
        "hydra": {"sweeper": {"grids": [
            *map(Grid, tuning_grids(runs, settings)),
            *map(Grid, main_grids(runs, settings, chosen, fresh)),
        ]}},
    }  # fmt: skip
    text = yaml.dump(
        content, Dumper=Quoting, sort_keys=False, allow_unicode=True, default_flow_style=None,
        width=10**6,
    )  # fmt: skip
    return "\n".join([*comments(table, chosen, tuned_on), text])


def _defaults(settings: Settings) -> list[dict[str, str | None]]:
    """Groups that the file's own settings replace whole."""
    sections = [k for k in settings.shared if k not in SINGLE and not k.startswith("seed")]
    return [{f"override {section}": None} for section in sections]


def comments(table: Table, chosen: list[Tuned], tuned_on: list[int]) -> list[str]:
    """What was chosen, and where it rests on an edge of what was tuned."""
    wide = table.runs["width"].nunique() > 1
    lines = [
        f"# Second stage of {shown(table.sweep)}, by `analysis tune` from {shown(table.path.name)}: per arm and depth",
        f"# the rate that seeds {', '.join(map(str, tuned_on))} want at the gamma of the best",
        f"# {shown(table.primary.metric)}, and gammas about it on fresh seeds; gamma = 0 at the rate it wants.",
        "# The first grids are the tuning runs' own, which are not trained again.",
    ]
    absent = [arm for arm in table.runs["arm"].unique() if arm not in {c.arm for c in chosen}]
    if absent:
        lines.append(f"# Left out, having no scan over gamma > 0: {', '.join(map(shown, absent))}")
    for c in chosen:
        best = "no optimum" if c.gamma is None else f"gamma* ~ {c.gamma:.3g}"
        place = f"depth {c.depth}" + (f", width {c.width}" if wide else "")
        zero = "" if c.zero_lr is None else f" (gamma = 0 wants {c.zero_lr:g})"
        lines.append(f"#   {shown(c.arm)}, {place}: {best}, lr {c.lr:g}{zero}")
        lines += [f"#     {note}" for note in c.notes]
    return lines


def shown(label: str) -> str:
    """A label that keeps to its line of a comment."""
    return label if label.isprintable() else json.dumps(label)


def span(text: str) -> list[int]:
    """ "0-7" or "8" as numbers. Raises InputError."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise InputError(f"--seeds {text}: write a range such as 0-7")
    return list(range(int(match[1]), int(match[2] or match[1]) + 1))


def main_grids(runs: pd.DataFrame, settings: Settings, chosen: list[Tuned], seeds: list[int]):
    """The fresh seeds: each choice's gammas at its rate; gamma = 0 at its own."""
    at = f"range({seeds[0]},{seeds[-1] + 1})"
    for c in chosen:
        rows = cell(runs, c.arm, c.width, c.depth)
        place = model_of(rows, settings)
        zero = c.zero_lr  # None: the tuning sweep trains plain attention in another arm
        if zero is None:
            grids = [(c.gammas, c.lr)]
        elif max(zero, c.lr) < SAME * min(zero, c.lr):
            grids = [((0.0, *c.gammas), c.lr)]
        else:
            grids = [((0.0,), zero), (c.gammas, c.lr)]
        for gammas, lr in grids:
            yield {**place, gamma_key(rows): listed(gammas), "optim.lr": exact(lr), "seed": at}


def tuning_grids(runs: pd.DataFrame, settings: Settings):
    """The table's own runs as products; (arm, depth)s and gammas of the same rates share one."""
    grids: dict[tuple, list[int]] = {}
    for (arm, width, depth), rows in runs.groupby(["arm", "width", "depth"], sort=False):
        place = model_of(rows, settings)
        del place["model.depth"]
        products: dict[tuple, list[float]] = {}
        for gamma, part in rows.groupby("gamma", sort=False):
            rates: dict[tuple, list[float]] = {}
            for lr, runs_at in part.groupby("lr"):
                rates.setdefault(tuple(sorted(runs_at["seed"])), []).append(lr)
            for seeds, alike in rates.items():
                products.setdefault((tuple(alike), seeds), []).append(gamma)
        for (alike, seeds), gammas in products.items():
            swept = {gamma_key(rows): listed(sorted(gammas)), "optim.lr": listed(alike),
                     "seed": listed(seeds)}  # fmt: skip
            key = (arm, width, tuple(place.items()), tuple(swept.items()))
            grids.setdefault(key, []).append(depth)
    for (_, _, place, swept), depths in grids.items():
        yield {**dict(place), "model.depth": listed(sorted(depths)), **dict(swept)}


def cell(runs: pd.DataFrame, arm: str, width: int, depth: int) -> pd.DataFrame:
    """The rows of one arm, width and depth."""
    return runs[(runs["arm"] == arm) & (runs["width"] == width) & (runs["depth"] == depth)]


def model_of(rows: pd.DataFrame, settings: Settings) -> dict[str, str]:
    """The overrides that make a cell's model, its depth among them."""
    depth = int(rows["depth"].iloc[0])
    place = settings.of(rows, f"arm {rows['arm'].iloc[0]}, depth {depth}")
    return {**place, "model.depth": str(depth)}


def gamma_key(rows: pd.DataFrame) -> str:
    """The setting that holds a cell's gamma."""
    return next(
        (k for k in GAMMAS if k in rows.columns and value(rows[k].iloc[0], k) is not None),
        GAMMAS[0],
    )


def listed(values) -> str:
    """Values as a comma list, which is Hydra's grammar."""
    return ",".join(exact(v) for v in values)


def exact(value: float) -> str:
    """The shortest text that reads back as the same number, so that runs keep their ids."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))
