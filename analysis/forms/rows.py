"""What of a table a law is fitted to: its units, what is held out, and the account of every row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.forms.form import Form
from analysis.tables.columns import Rows
from analysis.tables.expressions import condition
from analysis.tables.units import LEAST_UNITS, unit_column


def units(
    rows: Rows, columns: dict[str, str], response: str, given: str | None
) -> tuple[np.ndarray | None, dict[str, Any] | None]:
    """Which rows are one unit (n,), None where each is its own; and what is said of it. Raises
    InputError for a column that is not there or tells fewer than 3 units apart."""
    if given == "none":
        return None, None
    inputs = pd.DataFrame(
        {n: v for n, v in rows.columns.items() if n != response}, index=rows.table.index
    )
    name = given or unit_column(rows.table, inputs)
    if name is None:
        return None, None
    if name not in rows.table.columns:
        raise InputError(f"--cluster {name!r}: no such column")
    codes = pd.factorize(rows.table[name].astype(str))[0]
    count = int(codes.max()) + 1
    if count < LEAST_UNITS:
        raise InputError(f"--cluster {name!r}: {count} units, at least {LEAST_UNITS} are needed")
    return codes, {"column": name, "count": count, "found": given is None}


def split(rows: Rows, hold_out: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Row indices (fitted, held out)."""
    everything = np.arange(rows.kept.size)
    if not hold_out:
        return everything, everything[:0]
    apart = condition(hold_out, rows.table, "--hold-out").to_numpy()
    if not apart.any() or apart.all():
        raise InputError(
            f"--hold-out {hold_out!r} holds out {int(apart.sum())} of {apart.size} "
            "rows: some have to be on either side"
        )
    return everything[~apart], everything[apart]


def described(rows: Rows, columns: dict[str, np.ndarray], about: dict[str, Any]) -> dict[str, Any]:
    """What the law's `data` says of the rows."""
    return {
        **about,
        "rows": rows.total,
        "used": (used := int(next(iter(columns.values())).size)),
        "held_out": int(rows.kept.size) - used,
        "dropped": rows.dropped,
        "notes": rows.notes,
        "ranges": {n: [float(v.min()), float(v.max())] for n, v in columns.items()},
    }


def check_names(name: str, form: Form | None, columns: dict[str, str]) -> None:
    """Raise InputError unless exactly the form's names are mapped; form None for isoflop."""
    if form is None:
        need, sizes = {"C", "L"}, {"N", "D"} & set(columns)
        if len(sizes) != 1 or not need <= set(columns) or set(columns) - need - {"N", "D"}:
            raise InputError(
                f"isoflop maps C, L and one of N, D; given: {', '.join(columns) or 'nothing'}"
            )
        return
    names = ", ".join(form.variables)
    if missing := [n for n in form.variables if n not in columns]:
        raise InputError(f"{name} maps {names}; missing: {', '.join(missing)}")
    if extra := [n for n in columns if n not in form.variables]:
        raise InputError(f"{name} maps {names}; {extra[0]!r} is none of them")
