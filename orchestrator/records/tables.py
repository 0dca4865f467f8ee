"""Parquet and CSV files, whole or not at all, written by as many processes at once as may be."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def write_parquet(path: Path, frame: pd.DataFrame, about: dict[str, Any]) -> Path:
    """Write one table, with `about` in its metadata as "orchestrator"."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return write_batches(path, table.schema, table.to_batches(), about)


def write_batches(
    path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], about: dict[str, Any]
) -> Path:
    """Write batches of rows as they come, a row group each; `about` as in `write_parquet`."""
    meta = {**(schema.metadata or {}), b"orchestrator": json.dumps(about).encode()}
    named = schema.with_metadata(meta)
    with whole(path) as temporary, pq.ParquetWriter(temporary, named) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(meta))
    return path


def write_csv(parquet: Path) -> Path:
    """The same rows as CSV, beside a Parquet file."""
    path = parquet.with_suffix(".csv")
    with whole(path) as temporary, open(temporary, "w", newline="") as out:
        for i, batch in enumerate(pq.ParquetFile(parquet).iter_batches()):
            batch.to_pandas().to_csv(out, index=False, header=i == 0)
    return path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file of its own to write, which takes the place of `path` at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):  # not in the place of the error that led here
            temporary.unlink(missing_ok=True)


class Columns:
    """Rows whose columns are found as they come, kept as columns: a tenth of their size as dicts."""

    BATCH = 4096

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.tables: list[pa.Table] = []

    def add(self, row: dict[str, Any]) -> None:
        """Take one row; a column that it lacks is null."""
        self.rows.append(row)
        if len(self.rows) >= self.BATCH:
            self._convert()

    def table(self) -> pa.Table:
        """All rows, in one table."""
        self._convert()
        types: dict[str, pa.DataType] = {}
        for field in (f for t in self.tables for f in t.schema):
            types[field.name] = _common(types.get(field.name, field.type), field.type)
        schema = pa.schema(types.items())
        parts = []
        for table in self.tables:
            columns = [
                table[f.name].cast(f.type) if f.name in table.column_names
                else pa.nulls(len(table), f.type)
                for f in schema
            ]  # fmt: skip
            parts.append(pa.Table.from_arrays(columns, schema=schema))
        return pa.concat_tables(parts) if parts else pa.table({})

    def _convert(self) -> None:
        if self.rows:
            frame = pd.DataFrame(self.rows)
            for name in frame.columns[frame.dtypes == object]:
                if pd.api.types.infer_dtype(frame[name], skipna=True).startswith("mixed"):
                    frame[name] = frame[name].map(str, na_action="ignore")
            table = pa.Table.from_pandas(frame, preserve_index=False)
            self.tables.append(table.replace_schema_metadata(None))
            self.rows = []


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type that holds the values of both; text where there is no other."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    numbers = (pa.types.is_integer, pa.types.is_floating)
    if all(any(kind(t) for kind in numbers) for t in (one, other)):
        return pa.float64()
    return pa.string()
