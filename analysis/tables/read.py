"""The one reader of tables: what comes back has rows, and each column's name once.

CSV and TSV (also ; separated, with # comments before the head), Parquet with the sweep's metadata,
JSON lines and lists; compressed or not.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.errors import InputError

PARQUET, TEXT, LINES = {".parquet", ".pq"}, {".csv", ".tsv", ".txt"}, {".jsonl", ".ndjson"}
READERS = PARQUET | TEXT | LINES | {".json"}
COMPRESSED = {".gz", ".bz2", ".xz", ".zst", ".zip"}
Source = str | Path | pd.DataFrame
"""What a table is read from: a file, or rows that are in memory."""
IN_MEMORY = Path("a table in memory", "rows")
"""The path of rows in memory: nothing lies beside it."""


def place_of(source: Source) -> Path:
    """Where a table lies, beside which its curves, fit and figures do. Raises InputError."""
    if isinstance(source, pd.DataFrame):
        return IN_MEMORY
    if not isinstance(source, str | Path):
        raise InputError(f"a table is a path or a DataFrame, not a {type(source).__name__}")
    return Path(source)


def source_name(path: Path) -> str:
    """A table's path as a message says it."""
    return str(path.parent if path == IN_MEMORY else path)


def read_frame(source: Source) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The raw rows and the sweep's metadata ({} where there is none). Raises InputError."""
    path = place_of(source)
    rows, about = (source.copy(), {}) if isinstance(source, pd.DataFrame) else read_file(path)
    rows.columns = [str(c).strip() for c in rows.columns]
    if rows.columns.duplicated().any():
        twice = rows.columns[rows.columns.duplicated()][0]
        raise InputError(f"{source_name(path)}: the column {twice!r} stands there twice")
    return rows, about


def read_file(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """`read_frame` of a file, its columns as they are written."""
    if not path.is_file():
        what = "is a folder, not a table" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {what}")
    suffixes = [s for s in path.suffixes if s.lower() not in COMPRESSED]
    kind = (suffixes[-1] if suffixes else "").lower()
    if kind not in READERS:
        raise InputError(f"{path}: a table is .parquet, .csv, .tsv or .jsonl")
    return read_parquet(path) if kind in PARQUET else (read_text(path, kind), {})


def read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows and the JSON under the file's metadata key "orchestrator"."""
    import pyarrow
    import pyarrow.parquet

    try:
        arrow = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: is not a Parquet file ({one_line(error)})") from None
    raw = (arrow.schema.metadata or {}).get(b"orchestrator")
    try:
        about = json.loads(raw) if raw else {}
    except ValueError:
        raise InputError(f"{path}: its metadata 'orchestrator' is not JSON") from None
    return arrow.to_pandas(), about if isinstance(about, dict) else {}


def read_text(path: Path, kind: str) -> pd.DataFrame:
    """Rows of a text file, its separator found where it is not the suffix's own."""
    try:
        if kind in LINES or kind == ".json":
            return pd.read_json(path, lines=kind in LINES)
        rows = pd.read_csv(path, sep="\t" if kind == ".tsv" else ",", skipinitialspace=True,
                           comment="#" if starts_with_comment(path) else None)  # fmt: skip
        if rows.shape[1] == 1 and re.search(r"[;\t]", str(rows.columns[0])):
            rows = pd.read_csv(path, sep=None, engine="python")
        return rows
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"{path}: can't be read as {kind[1:]}: {one_line(error)}") from None


def starts_with_comment(path: Path) -> bool:
    """Whether the first byte is #."""
    with path.open("rb") as file:
        return file.read(1) == b"#"


def one_line(error: Exception) -> str:
    """The first sentence of a library's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
