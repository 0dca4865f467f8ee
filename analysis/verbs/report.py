"""`analysis report TABLE`: one self-contained report.html, from the table's saved fit.

A table of several tasks or budgets gets the comparison of its arms.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep")
    parser.add_argument("--out", help="the page (default: report.html beside the table)")
    parser.add_argument("--partial", action="store_true", help="report an unfinished sweep")
    parser.add_argument("--where", metavar="CONDITION",
                        help="these rows alone, such as \"task == 'recall'\"")  # fmt: skip


def run(given: argparse.Namespace) -> int:
    """Write the page; returns the exit status."""
    from analysis.gamma_star.saved import beside, saved_or_fitted
    from analysis.show.html import page
    from analysis.show.progress import shown
    from analysis.tables.files import write_whole
    from analysis.tables.groups import load_groups

    with shown("writing the report"):
        groups = load_groups(given.table, given.where)
        out = Path(given.out or beside(groups, "report.html"))
        if len(groups) > 1:
            text = page.of_groups(groups)
        else:
            (table,) = groups.values()
            text = page.of_fit(table, saved_or_fitted(table, given.partial))
        write_whole(out, text)
    print(out, file=sys.stderr)
    return 0
