"""The table of arms on the screen."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from analysis.contrasts.arms import Arms
from analysis.show.arms_table import cells, head, sentences

WIDEST = 200


def show(arms: Arms) -> None:
    """Print the table and the sentences."""
    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    console.width = max(console.width, WIDEST)  # a number cut short is no number
    grid = Table(box=None, pad_edge=False)
    for name in head(arms):
        grid.add_column(name, no_wrap=True)
    for row in cells(arms):
        grid.add_row(*row)
    console.print(grid)
    for line in sentences(arms):
        console.print(line)
    console.print(arms.how + ".")
