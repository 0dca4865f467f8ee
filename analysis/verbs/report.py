"""`analysis report TABLE`: one self-contained report.html, from the table's saved fit.

A table of several tasks or budgets gets the comparison of its arms.
"""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep")
    parser.add_argument("--out", help="the page (default: report.html beside the table)")
    parser.add_argument("--partial", action="store_true", help="report an unfinished sweep")
    parser.add_argument("--where", metavar="CONDITION",
                        help="these rows alone, such as \"task == 'recall'\"")  # fmt: skip


def run(given: argparse.Namespace) -> int:
    """Write the page; returns the exit status."""
    from analysis.show.outputs import report
    from analysis.show.progress import shown

    with shown("writing the report"):
        out = report(given.table, given.out, where=given.where, partial=given.partial)
    print(out.resolve(), file=sys.stderr)
    return 0
