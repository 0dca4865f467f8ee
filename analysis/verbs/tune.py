"""`analysis tune TABLE`: the second stage of a tuning sweep, printed as a sweep file."""

from __future__ import annotations

import argparse
import sys

from analysis.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("table", help="table.parquet of the tuning sweep (γ x learning rates)")
    parser.add_argument("--seeds", default="0-7", metavar="A-B",
                        help="fresh seeds of the second stage (default 0-7)")  # fmt: skip
    parser.add_argument("--points", type=int, default=6, help="positive γ per depth (default 6)")
    parser.add_argument("--name", help="the new sweep's name (default: its file's stem)")
    parser.add_argument("--where", metavar="CONDITION", help="tune these rows alone")


def run(given: argparse.Namespace) -> int:
    """Choose and print; returns the exit status."""
    from analysis.gamma_star.second_stage import second_stage
    from analysis.show.sweep_file import render
    from analysis.tables.table import load

    table = load(given.table, where=given.where)
    chosen = second_stage(table, given.points)
    try:
        text = render(table, chosen, given.seeds, given.name)
    except InputError as error:
        raise InputError(f"{table.path}: {error}") from None
    sys.stdout.write(text)
    return 0
