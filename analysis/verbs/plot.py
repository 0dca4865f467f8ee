"""`analysis plot TABLE`: the figures of a table, from its saved fit."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep")
    parser.add_argument("--out", help="folder of the figures (default: figures/ beside the table)")
    parser.add_argument("--partial", action="store_true", help="draw an unfinished sweep")
    parser.add_argument("--where", metavar="CONDITION",
                        help="these rows alone, such as \"task == 'recall'\"")  # fmt: skip


def run(given: argparse.Namespace) -> int:
    """Draw; returns the exit status."""
    from analysis.show.outputs import plot
    from analysis.show.progress import shown

    with shown("drawing"):
        paths = plot(given.table, given.out, where=given.where, partial=given.partial)
    if paths:
        print(paths[0].parent.resolve(), file=sys.stderr)
    return 0
