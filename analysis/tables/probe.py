"""The tables of `orchestrator probe`, where they lie beside a sweep's table.

Guarantee: what is returned has every table and every column that the figures read.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.errors import InputError
from analysis.tables.read import read_frame
from analysis.tables.table import Table

RUN = ("run_id", "arm", "depth", "gamma", "seed")
COLUMNS = {
    "response": (
        "layer", "stream", "head", "omega", "magnitude_theory", "phase_theory",
        "magnitude_impulse", "phase_impulse", "magnitude_sequences", "phase_sequences",
        "error_impulse", "error_sequences",
    ),
    "spectra": (
        "layer", "stream", "head", "pair", "theta", "omega", "power_before", "power_after",
    ),
    "bands": ("layer", "stream", "head", "quantity", "value", "low", "high"),
    "heads": ("layer", "head", "prefix_matching", "uniform", "copying"),
    "causal": ("intervention", "accuracy", "chance"),
}  # fmt: skip

Forensics = dict[str, pd.DataFrame]


def of_table(table: str | Path | Table) -> Forensics | None:
    """The tables in `probe/` beside a sweep's table, of those runs that a loaded one holds; None
    where there is no such folder, or none of the runs was probed.

    Raises InputError where one is missing or lacks a column.
    """
    by_name = isinstance(table, str | Path)
    folder = (Path(table) if by_name else table.path).parent / "probe"
    if not folder.is_dir():
        return None
    found = {}
    for name, columns in COLUMNS.items():
        path = folder / f"{name}.parquet"
        found[name], _ = read_frame(path)
        missing = [c for c in (*RUN, *columns) if c not in found[name]]
        if missing:
            raise InputError(f"{path}: lacks {', '.join(missing)}; probe the sweep again")
        if not by_name:
            found[name] = found[name][found[name]["run_id"].isin(table.runs["run_id"])]
    return found if len(found["heads"]) else None


def arms(forensics: Forensics) -> list[str]:
    """The arms, in the order of the sweep."""
    return list(dict.fromkeys(forensics["heads"]["arm"]))


def best_heads(forensics: Forensics) -> pd.DataFrame:
    """Of each run the head with the most prefix matching (the first where none has a score)."""
    heads = forensics["heads"]
    ranked = heads.sort_values("prefix_matching", ascending=False, kind="stable")
    return ranked.drop_duplicates("run_id")
