"""The table of arms on the screen."""

from __future__ import annotations

from analysis.contrasts.arms import Arms
from analysis.show.arms_table import cells, head, sentences
from analysis.show.console.narrow import screen, show_table


def show(arms: Arms) -> None:
    """Print the table and the sentences."""
    console = screen()
    names = head(arms)
    show_table(console, names, cells(arms), keys=names.index("setting"))
    for line in sentences(arms):
        console.print(line)
    console.print(arms.how + ".")
