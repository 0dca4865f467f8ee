"""A table of several tasks or budgets as one checked `Table` for each: what `analysis.load` refuses
to mix, comparisons of arms can take side by side.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.errors import InputError
from analysis.tables.checks import ONE_VALUED, ONE_VALUED_GROUPS
from analysis.tables.expressions import condition
from analysis.tables.lengths import LENGTH, of_trunks
from analysis.tables.read import Source, place_of, read_frame, source_name
from analysis.tables.table import Table, chosen_rows, from_frame

# from what the task is, and how long a run
FOLLOWS = ("chance", "chance_loss", "tokens", "tokens_per_step", "budget.eval_steps")


def load_groups(
    source: Source, where: str | None = None, by_length: bool = True
) -> dict[str, Table]:
    """Label ("recall", "khop, hops=2") -> its table, in the file's order. Raises InputError.

    by_length: each length of the same models is a group of its own; else they are one table, of the
    longest."""
    path = place_of(source)
    runs, about = read_frame(source)
    try:
        if where:
            runs, about, where = chosen_rows(runs, about, where)
        if "task" not in runs.columns or runs.empty:
            return {"": from_frame(runs, about, path, where)}
        # how many runs each group should have isn't known
        own = {k: v for k, v in about.items() if k not in ("expected", "missing")}
        parts = split(runs, by_length)
        return {label: from_frame(part, about if len(parts) == 1 else own, path, where)
                for label, part in parts.items()}  # fmt: skip
    except InputError as error:
        raise InputError(f"{source_name(path)}: {error}") from None


def groups_of(table: Table, where: str | None = None) -> dict[str, Table]:
    """The same of a table that was read already: one group, as `load` refuses to mix."""
    if where:
        keep = condition(where, table.runs)
        if not keep.any():
            raise InputError(f"where={where!r} leaves none of {len(table.runs)} rows")
        both = " and ".join(f"({w})" for w in (table.where, where) if w)
        table = replace(table, runs=table.runs[keep].reset_index(drop=True), where=both)
    return {str(table.runs["task"].iloc[0]): table}


def split(runs: pd.DataFrame, by_length: bool = True) -> dict[str, pd.DataFrame]:
    """Rows by task and budget, with a label that says what tells them apart."""
    columns = [c for c in runs.columns
               if (c in ONE_VALUED or c.startswith(ONE_VALUED_GROUPS)) and c not in FOLLOWS]  # fmt: skip
    # a diverged run may have ended early
    columns = [c for c in columns if c != "steps" or "budget.steps" not in runs.columns]
    if not by_length and of_trunks(runs):
        columns = [c for c in columns if c not in LENGTH]
    text = runs[columns].map(str)
    several = [c for c in columns if text[c].nunique() > 1]
    if not several:
        return {str(runs["task"].iloc[0]): runs}
    out = {}
    for _, rows in text.groupby(several, sort=False):
        task = str(runs["task"].loc[rows.index[0]])
        alike = text[text["task"] == task]
        told = [c for c in several if c not in ("task", "task._target_") and alike[c].nunique() > 1]
        said = [f"{c.rpartition('.')[2]}={rows[c].iloc[0]}" for c in told]
        out[", ".join([task, *said])] = runs.loc[rows.index]
    return out
