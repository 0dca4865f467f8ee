"""A fit saved whole in fit.json beside laws.json, so that plot and report fit nothing again.

Guarantee: what `saved` returns is the fit of this very table (its bytes, its curves' bytes, the
same rows); anything else, an older format included, is None.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from analysis.gamma_star.explore.fungibility import Fungibility
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
from analysis.tables.files import write_whole
from analysis.tables.laws_json import Law, Parameter
from analysis.tables.records_json import decode, encode
from analysis.tables.table import Table

FORMAT = 1
RECORDS = {
    c.__name__: c
    for c in (DepthCurve, DepthLine, FitResult, Fungibility, GammaStarFit, HeldOut, JointFit, Law,
              Optimum, Parameter, RivalFit)
}  # fmt: skip


def path_of(table: Table) -> Path:
    """Where a table's fit is saved."""
    return table.path.with_name("fit.json")


def save(result: FitResult, table: Table) -> Path:
    """Write fit.json. Raises InputError where the folder can't be written."""
    # the laws stand once, with their arms
    document = {**fingerprint(table), "fit": {**encode(result), "laws": []}}
    write_whole(path_of(table), json.dumps(document, separators=(",", ":"), allow_nan=False))
    return path_of(table)


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
        **{name: digest(path) for name, path in files.items()},
    }  # fmt: skip


def digest(path: Path) -> str | None:
    """SHA-256 of a file's bytes; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
