"""`analysis compare A B`: two tables, sweeps or arms side by side, or ours against published."""

from __future__ import annotations

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    from analysis.contrasts.sides import CELL, METRICS

    parser.add_argument(
        "a", metavar="A", help="a table, a results folder or a sweep's name; TABLE@ARM for one arm"
    )
    parser.add_argument("b", metavar="B", help="another one, an arm of A, or 'published'")
    parser.add_argument(
        "--by",
        metavar="COLUMN,COLUMN",
        help=f"the columns that match cells (default: those of {', '.join(CELL)} that vary)",
    )
    parser.add_argument(
        "--metric", help=f"what to compare (default: {', '.join(METRICS)}, the first that is there)"
    )
    parser.add_argument("--where", metavar="CONDITION", help="rows to keep on both sides")
    parser.add_argument("--json", action="store_true", help="print JSON, nothing else")


def run(given: argparse.Namespace) -> int:
    """Compare and print; returns the exit status."""
    from analysis.contrasts.sides import compare_sides
    from analysis.show.console.sides import show
    from analysis.tables.laws_json import plain

    found = compare_sides(given.a, given.b, given.by, given.metric, given.where)
    if given.json:
        print(json.dumps(plain(found), indent=2, allow_nan=False))
    else:
        show(found)
    return 0
