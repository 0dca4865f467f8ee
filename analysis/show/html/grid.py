"""Tables as HTML."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from analysis.text import NOTHING, number

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
    """A table; without a head where every name of it is empty, without columns that say nothing."""
    told = [any(number(row[i], DIGITS) not in ("", NOTHING) for row in rows)
            for i in range(len(head))]  # fmt: skip
    if not any(told):
        return ""
    head = [h for h, keep in zip(head, told, strict=True) if keep]
    rows = [[v for v, keep in zip(row, told, strict=True) if keep] for row in rows]
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    top = f"<thead><tr>{top}</tr></thead>" if any(head) else ""
    body = "".join(
        "<tr>" + "".join(f"<td class='n'>{escape(number(v, DIGITS))}</td>" for v in row) + "</tr>"
        for row in rows
    )
    return f"<div class='scroll'><table>{top}<tbody>{body}</tbody></table></div>"


def grid_of(table: pd.DataFrame, columns: list[str]) -> str:
    """Some columns of a data frame as a table."""
    rows = [
        [None if pd.isna(v) else v.item() if hasattr(v, "item") else v for v in row]
        for row in table[columns].itertuples(index=False)
    ]
    return grid([c.replace("_", " ") for c in columns], rows)
