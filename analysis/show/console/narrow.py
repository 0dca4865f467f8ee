"""Tables on a screen of any width: no number is cut, no row runs over the edge.

Guarantee: where the width is known (a terminal, or COLUMNS) and a table is wider, the columns that
hold one value are said once above it, and if that is not enough each row becomes a few short lines.
"""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TextIO

from rich.console import Console
from rich.table import Table


def screen(file: TextIO | None = None, markup: bool = False) -> Console:
    """Standard output, or `file`: lines wrap at words where its width is known, else not at all."""
    out = file or sys.stdout
    known = out.isatty() or "COLUMNS" in os.environ
    wide = None if known else 10_000  # a table that nobody's screen holds is cut nowhere
    return Console(file=out, highlight=False, markup=markup, soft_wrap=not known, width=wide)


def show_table(console: Console, head: list[str], rows: list[list[str]], keys: int) -> None:
    """Print a table. keys: how many of its first columns say which row it is."""
    if not console.soft_wrap and width(head, rows) > console.width and len(rows) > 1:
        same = [i for i in range(keys) if len({row[i] for row in rows}) == 1]
        if same:
            for i in same:
                console.print(f"{head[i]}: {rows[0][i]}")
            head = [h for i, h in enumerate(head) if i not in same]
            rows = [[c for i, c in enumerate(row) if i not in same] for row in rows]
            keys -= len(same)
    if console.soft_wrap or width(head, rows) <= console.width:
        grid = Table(box=None, pad_edge=False)
        for name in head:
            grid.add_column(name, no_wrap=True)
        for row in rows:
            grid.add_row(*row)
        console.print(grid, soft_wrap=False)
        return
    for row in rows:
        said = [f"{name} {cell}".strip() for name, cell in zip(head, row, strict=True) if cell]
        place = [f"{head[i]} {row[i]}" for i in range(keys) if row[i]]
        for parts, indent in ((place, ""), (said[len(place) :], "  ")):
            for line in textwrap.wrap(", ".join(parts), console.width - 1, initial_indent=indent,
                                      subsequent_indent=indent + "  ") or []:  # fmt: skip
                console.print(line, soft_wrap=True)


def width(head: list[str], rows: list[list[str]]) -> int:
    """Of the whole table in characters."""
    columns = zip(head, *rows, strict=True)
    return sum(max(map(len, column)) + 2 for column in columns) - 2
