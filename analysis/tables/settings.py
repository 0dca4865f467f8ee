"""The settings of a table's runs, read back from its columns: what all share as nested mappings, what
differs as words of Hydra's grammar. Together they make the very configs that were trained, whatever
arms are called and however they were submitted; no group of ./conf is believed to be what it was.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError

SECTIONS = ("task.", "model.", "optim.", "budget.")
SINGLE = ("measures", "precision")
NEEDED = ("task._target_", "model.depth", "optim.lr", "budget.steps")
"""Columns that a table of `orchestrator collect` has."""
OURS = {"model": "tiny", "optim": "adamw"}
"""Options of groups whose class a table leaves unnamed: that of ours."""
NULLABLE = ("model.rope_base", "optim.clip")
"""Settings of ours that can be null though their default is not."""
PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)[a-z_][\w.-]*", re.IGNORECASE | re.ASCII)
"""Texts that Hydra's grammar and YAML read as texts without quotes."""


class Settings:
    """Of runs (R rows): `shared`, a tree of the leaves that all have; `of(rows)`, the overrides that
    make the runs of these rows from it. `swept`: columns that the caller sets itself.

    Raises InputError where the table has no such columns.
    """

    def __init__(self, runs: pd.DataFrame, swept: tuple[str, ...], filtered: bool) -> None:
        lacking = [c for c in NEEDED if c not in runs.columns]
        if lacking:
            raise InputError(
                f"lacks the column {lacking[0]!r}: what its runs were can't be said again; give a "
                "table of `orchestrator collect`"
            )
        self.runs = runs
        leaves = [c for c in runs.columns if c in SINGLE or c.startswith(SECTIONS)]
        self.mixed = [
            s for s in OURS
            if f"{s}._target_" in leaves and runs[f"{s}._target_"].map(str).nunique() > 1
        ]  # fmt: skip
        own = tuple(f"{s}." for s in self.mixed)
        self.grouped = [c for c in leaves if c.startswith(own)] if own else []
        alone = [c for c in leaves if c not in self.grouped]
        if filtered:  # other tasks' settings, of rows that --where left out
            alone = [c for c in alone if not (c.startswith("task.") and runs[c].isna().all())]
        varying = [c for c in alone if runs[c].map(str).nunique() > 1]
        self.varying = [c for c in varying if c not in swept]
        self.swept = swept
        tree = {c: value(runs[c].iloc[0], c) for c in alone}
        ours = tree.get("model._target_", "") is None
        tree = {c: v for c, v in tree.items() if not (c == "model._target_" and ours)}
        self.shared: dict[str, Any] = {}
        for column, said in {**tree, **_seeds(runs)}.items():
            node = self.shared
            *above, last = column.split(".")
            for name in above:
                node = node.setdefault(name, {})
            node[last] = escaped(said)

    def of(self, rows: pd.DataFrame, where: str) -> dict[str, str]:
        """Overrides, by key, of rows that must agree in all but what is swept; `where`: their name.

        Raises InputError where they do not.
        """
        out: dict[str, str] = {}
        for section in self.mixed:
            target = self._one(rows, f"{section}._target_", where)
            out[section] = OURS[section] if target is None else "own"
        for column in [*self.grouped, *self.varying]:
            if column in self.swept:
                continue
            said = self._one(rows, column, where)
            if said is None and column in self.grouped and self._foreign(rows, column):
                continue
            out[column] = escaped(word(said))  # read by OmegaConf first, then by Hydra's grammar
        return out

    def _one(self, rows: pd.DataFrame, column: str, where: str) -> Any:
        if rows[column].map(str).nunique() > 1:
            raise InputError(f"{where}: {column} varies within it; split the table with --where")
        return value(rows[column].iloc[0], column)

    def _foreign(self, rows: pd.DataFrame, column: str) -> bool:
        """Whether a null means that the class of these rows has no such setting, or its default."""
        target = f"{column.partition('.')[0]}._target_"
        if column == target or (column in NULLABLE and value(rows[target].iloc[0], target) is None):
            return column == target
        mine = self.runs[target].map(str) == str(rows[target].iloc[0])
        return bool(self.runs[column][mine].isna().all())


def _seeds(runs: pd.DataFrame) -> dict[str, Any]:
    """seed_init and seed_data where they are one for all, {} where they follow the seed."""
    out = {}
    for name in ("seed_init", "seed_data"):
        if name not in runs.columns or (runs[name] == runs["seed"]).all():
            continue
        if runs[name].nunique() > 1:
            raise InputError(f"{name} is neither the seed nor one for all runs: split the table "
                             "with --where")  # fmt: skip
        out[name] = int(runs[name].iloc[0])
    return out


def value(cell: Any, column: str) -> Any:
    """A cell as the setting that it shows: lists stand in it as JSON, but an arm is always a text."""
    if isinstance(cell, str):
        if cell.startswith(("[", "{")) and column != "model.momentum.arm":
            try:
                return json.loads(cell)
            except ValueError:
                return cell
        return cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)) or cell is pd.NA:
        return None
    return cell.item() if isinstance(cell, np.generic) else cell


def word(said: Any) -> str:
    """A setting as a value of Hydra's override grammar, which reads it as one value of its type."""
    if said is None:
        return "null"
    if isinstance(said, bool):
        return str(said).lower()
    if isinstance(said, float):
        return repr(said)
    if isinstance(said, list):
        return f"[{','.join(map(word, said))}]"
    if isinstance(said, dict):
        return f"{{{','.join(f'{word(k)}:{word(v)}' for k, v in said.items())}}}"
    if not isinstance(said, str) or PLAIN.fullmatch(said):
        return str(said)
    text = re.sub(r"(\\*)'", r"\1\1\\'", escaped(said))  # a quote, and backslashes before it
    return "'" + re.sub(r"(\\+)$", r"\1\1", text) + "'"


def escaped(said: Any) -> Any:
    """A setting whose text OmegaConf takes as it is: no interpolation."""
    if isinstance(said, list):
        return [escaped(v) for v in said]
    if isinstance(said, dict):
        return {k: escaped(v) for k, v in said.items()}
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", said) if isinstance(said, str) else said
