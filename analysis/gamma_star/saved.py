"""A fit saved whole in fit.json beside laws.json, so that plot and report fit nothing again.

Guarantee: what `saved` returns is the fit of this very table (its bytes, its curves' bytes, the
same rows); anything else, an older format included, is None.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.gamma_star.explore.fungibility import Fungibility
from analysis.gamma_star.provenance import of_rows, suffix
from analysis.gamma_star.records import (
    DepthCurve,
    DepthLine,
    FitResult,
    GammaStarFit,
    HeldOut,
    JointFit,
    Optimum,
    RivalFit,
)
from analysis.gamma_star.sweep import fit_table
from analysis.tables.files import sha256_of, write_whole
from analysis.tables.laws_json import Law, Parameter
from analysis.tables.read import IN_MEMORY
from analysis.tables.records_json import decode, encode
from analysis.tables.table import Table

FORMAT = 3
RECORDS = {
    c.__name__: c
    for c in (DepthCurve, DepthLine, FitResult, Fungibility, GammaStarFit, HeldOut, JointFit, Law,
              Optimum, Parameter, RivalFit)
}  # fmt: skip


def path_of(table: Table, differs: dict[str, Any] | None = None) -> Path:
    """Where a table's fit is saved; an exploratory one, by what differs in it, beside the frozen."""
    end = suffix(of_rows(table) if differs is None else differs)
    return table.path.with_name(f"fit{end}.json")


def beside(groups: dict[str, Table], name: str) -> Path:
    """Where the figures or the report of a table go, whose rows may be a choice."""
    table = next(iter(groups.values()))
    if table.path == IN_MEMORY:
        raise InputError(f"{table.path.parent} lies in no folder: name the place of {name}")
    stem, dot, kind = name.partition(".")
    return table.path.with_name(f"{stem}{suffix(of_rows(table))}{dot}{kind}")


def save(result: FitResult, table: Table) -> Path:
    """Write fit.json. Raises InputError where the folder can't be written."""
    # the laws stand once, with their arms
    document = {**fingerprint(table), "fit": {**encode(result), "laws": []}}
    path = path_of(table, result.provenance["differs"])
    write_whole(path, json.dumps(document, separators=(",", ":"), allow_nan=False))
    return path


def saved(table: Table) -> FitResult | None:
    """The saved fit of this table, None where there is none."""
    try:
        document = json.loads(path_of(table).read_text(encoding="utf-8"))
        if {k: document[k] for k in fingerprint(table)} != fingerprint(table):
            return None
        result = decode(document["fit"], RECORDS)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    result.laws.extend(fit.law for fit in result.arms.values())
    return result


def saved_or_fitted(table: Table, partial: bool = False) -> FitResult:
    """The saved fit, or a new one under the frozen choice. Raises InputError as `fit_table` does."""
    found = saved(table)
    if found is not None and (partial or not found.partial):
        return found
    return fit_table(table, partial=partial)


def fingerprint(table: Table) -> dict[str, Any]:
    """What a saved fit must agree in."""
    files = {"table": table.path, "curves": table.curves_path}
    return {
        "format": FORMAT, "where": table.where,
        **{name: sha256_of(path) for name, path in files.items()},
    }  # fmt: skip
