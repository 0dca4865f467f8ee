"""Tables as HTML."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from analysis.text import number

DIGITS = 4


def values(column: pd.Series) -> str:
    """The distinct values, or their range where there are many."""
    distinct = sorted(column.unique(), key=lambda v: (isinstance(v, str), v))
    said = [
        number(float(v), DIGITS) if isinstance(v, int | float) or hasattr(v, "dtype") else str(v)
        for v in distinct
    ]
    return ", ".join(said) if len(said) <= 16 else f"{said[0]} to {said[-1]} ({len(said)} values)"


def grid(head: list[str], rows: list[list[Any]]) -> str:
    """A table; without a head where every name of it is empty."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    top = f"<tr>{top}</tr>" if any(head) else ""
    body = "".join(
        "<tr>" + "".join(f"<td class='n'>{escape(number(v, DIGITS))}</td>" for v in row) + "</tr>"
        for row in rows
    )
    return f"<div class='scroll'><table>{top}{body}</table></div>"


def grid_of(table: pd.DataFrame, columns: list[str]) -> str:
    """Some columns of a data frame as a table."""
    rows = [
        [None if pd.isna(v) else v.item() if hasattr(v, "item") else v for v in row]
        for row in table[columns].itertuples(index=False)
    ]
    return grid([c.replace("_", " ") for c in columns], rows)
