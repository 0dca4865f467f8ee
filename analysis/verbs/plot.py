"""`analysis plot TABLE`: the figures of a table, from its saved fit."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep")
    parser.add_argument("--out", help="folder of the figures (default: figures/ beside the table)")
    parser.add_argument("--partial", action="store_true", help="draw an unfinished sweep")
    parser.add_argument("--where", metavar="CONDITION",
                        help="these rows alone, such as \"task == 'recall'\"")  # fmt: skip


def run(given: argparse.Namespace) -> int:
    """Draw; returns the exit status."""
    from analysis.gamma_star.saved import beside, saved_or_fitted
    from analysis.show.figures import plot, plot_groups
    from analysis.show.progress import shown
    from analysis.tables.groups import load_groups

    with shown("drawing"):
        groups = load_groups(given.table, given.where)
        out = Path(given.out or beside(groups, "figures"))
        if len(groups) > 1:
            plot_groups(groups, out)
        else:
            (table,) = groups.values()
            plot(table, saved_or_fitted(table, given.partial), out)
    print(out.resolve(), file=sys.stderr)
    return 0
