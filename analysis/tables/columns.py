"""Anyone's table as clean columns for a law, with a count of every row left out and why.

Guarantee: what comes back is finite and positive, in the order of the file; nothing is dropped
silently, and a value that no such law can have (a negative loss) stops the fit with one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.tables.expressions import condition, evaluate


@dataclass(frozen=True)
class Rows:
    """columns: name -> (n,) floats; kept (n,): their row numbers in the file, from 1 without the
    header; dropped: reason -> count; notes: findings in words; total: rows in the file."""

    columns: dict[str, np.ndarray]
    kept: np.ndarray
    dropped: dict[str, int]
    notes: list[str]
    total: int
    table: pd.DataFrame = field(repr=False)


def parse_map(text: str) -> dict[str, str]:
    """ "N=params,D=flops/(6*params)" -> {"N": "params", ...}. Raises InputError."""
    parts = re.split(r",(?=\s*[A-Za-z_]\w*\s*=(?!=))", text)
    found: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"--map {text!r}: write NAME=COLUMN,NAME=COLUMN")
        if name.strip() in found:
            raise InputError(f"--map {text!r}: {name.strip()!r} is mapped twice")
        found[name.strip()] = value.strip()
    return found


def prepare(
    table: pd.DataFrame, mapping: dict[str, str], response: str, where: str | None = None
) -> Rows:
    """Columns for a law. Raises InputError for an unknown column, text where numbers should be,
    values at or below 0, and where no row is left."""
    total = len(table)
    dropped: dict[str, int] = {}
    notes: list[str] = []
    table = table.reset_index(drop=True)
    kept = pd.Series(True, index=table.index)
    if where:
        kept = condition(where, table)
        if not kept.any():
            raise InputError(f"--where {where!r} leaves none of {total} rows")
        if (~kept).any():
            dropped[f"left out by --where {where}"] = int((~kept).sum())
    text = table.select_dtypes(include="number").columns
    fingerprints = pd.util.hash_pandas_object(table.astype(str), index=False)
    again = fingerprints.duplicated() & kept
    if len(text) and again.any():
        dropped["the same row once more"] = int(again.sum())
        kept &= ~again
    part = table[kept]
    values = {
        name: _numbers(evaluate(text, part, f"--map {name}="), name, text)
        for name, text in mapping.items()
    }
    frame = pd.DataFrame(values, index=part.index)
    missing = frame.isna().any(axis=1)
    if missing.any():
        count = frame.isna().sum()
        which = [f"{mapping[c]} {count[c]}" for c in frame if count[c]]
        dropped[f"missing or not a number ({', '.join(which)})"] = int(missing.sum())
    frame = frame[~missing]
    infinite = np.isinf(frame).any(axis=1)
    if infinite.any():
        dropped["infinite"] = int(infinite.sum())
    frame = frame[~infinite]
    if frame.empty:
        raise InputError(f"no row of {total} is left: {_said(dropped)}")
    for name in frame:
        low = frame[name] <= 0
        if low.any():
            at = low.idxmax()
            raise InputError(
                f"{mapping[name]} ({name}) has to be positive, but {int(low.sum())} rows are not; "
                f"the first is row {at + 1} with {frame.loc[at, name]:g} "
                f"(leave them out with --where if they are meant to be)"
            )
    repeated = frame.duplicated()
    if repeated.any():
        notes.append(
            f"{int(repeated.sum())} rows repeat another's mapped values exactly; "
            "they count as measurements of their own"
        )
    return Rows(
        {n: frame[n].to_numpy(float) for n in frame},
        frame.index.to_numpy() + 1,
        dropped,
        notes,
        total,
        part.loc[frame.index],
    )


def _said(dropped: dict[str, int]) -> str:
    return "; ".join(f"{count} {why}" for why, count in dropped.items()) or "nothing was dropped"


def _numbers(series: pd.Series, name: str, text: str) -> pd.Series:
    """Floats, thousands separators accepted; nan where a cell is no number."""
    if pd.api.types.is_bool_dtype(series):
        raise InputError(f"--map {name}={text}: a condition, not a number")
    if pd.api.types.is_numeric_dtype(series):
        return series.astype(float)
    plain = series.astype("string").str.strip().str.replace(",", "", regex=False)
    numbers = pd.to_numeric(plain, errors="coerce").astype(float)
    given = plain.notna() & (plain != "")
    blank = plain.str.lower().isin(["nan", "na", "n/a", "null", "none", "-"])
    bad = given & numbers.isna() & ~blank
    if bad.sum() > 0.5 * max(int(given.sum()), 1):
        raise InputError(f"--map {name}={text}: not numbers, e.g. {plain[bad].iloc[0]!r}")
    return numbers
