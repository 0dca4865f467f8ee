"""Anyone's table as clean columns for a law, with a count of every row left out and why.

Guarantee: what comes back is finite and positive, in the order of the file; nothing is dropped
silently, and a value that no such law can have (a negative loss) stops the fit with one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.laws.expressions import condition, evaluate

READERS = {".csv", ".tsv", ".txt", ".parquet", ".pq", ".jsonl", ".ndjson", ".json"}


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


def read_table(path: str | Path) -> pd.DataFrame:
    """CSV (also ; or tab separated), Parquet, JSON lines or a JSON list. Raises InputError."""
    path = Path(path)
    suffixes = [s for s in path.suffixes if s not in {".gz", ".bz2", ".xz", ".zst", ".zip"}]
    kind = (suffixes[-1] if suffixes else "").lower()
    if kind not in READERS:
        raise InputError(f"{path}: a law's data are .csv, .tsv, .parquet or .jsonl")
    try:
        if kind in {".parquet", ".pq"}:
            table = pd.read_parquet(path)
        elif kind == ".json":
            table = pd.read_json(path)
        elif kind in {".jsonl", ".ndjson"}:
            table = pd.read_json(path, lines=True)
        else:
            table = pd.read_csv(
                path,
                sep="\t" if kind == ".tsv" else ",",
                skipinitialspace=True,
                comment="#" if _starts_with_comment(path) else None,
            )
            if table.shape[1] == 1 and re.search(r"[;\t]", str(table.columns[0])):
                table = pd.read_csv(path, sep=None, engine="python")
    except FileNotFoundError as error:
        raise InputError(f"no file {path}") from error
    except (OSError, ValueError, UnicodeError, ImportError) as error:
        first = " ".join(str(error).split())[:200]
        raise InputError(f"can't read {path} as {kind[1:]}: {first}") from error
    table.columns = [str(c).strip() for c in table.columns]
    if table.columns.duplicated().any():
        twice = table.columns[table.columns.duplicated()][0]
        raise InputError(f"{path}: the column {twice!r} stands there twice")
    if table.empty:
        raise InputError(f"{path} holds no rows")
    return table


def _starts_with_comment(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(1) == b"#"
    except OSError:
        return False


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
    chosen = pd.Series(True, index=table.index)
    if where:
        chosen = condition(where, table)
        if not chosen.any():
            raise InputError(f"--where {where!r} leaves none of {total} rows")
        if (~chosen).any():
            dropped[f"left out by --where {where}"] = int((~chosen).sum())
    text = table.select_dtypes(include="number").columns
    whole = pd.util.hash_pandas_object(table.astype(str), index=False)
    again = whole.duplicated() & chosen
    if len(text) and again.any():
        dropped["the same row once more"] = int(again.sum())
        chosen &= ~again
    part = table[chosen]
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
