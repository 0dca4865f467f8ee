"""`analysis arms TABLE`: every arm in one table, and its figure."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep; tasks may be mixed")
    parser.add_argument("--reference", metavar="ARM",
                        help="arm that the others are compared with (default: raw, else none)")  # fmt: skip
    parser.add_argument(
        "--metric", help="val_loss, mean_loss or accuracy instead of the frozen one"
    )
    parser.add_argument("--where", metavar="CONDITION", help="compare these rows alone")
    parser.add_argument("--out", help="folder of the figure (default: figures/ beside the table)")
    parser.add_argument("--json", action="store_true", help="print the table as JSON, nothing else")


def run(given: argparse.Namespace) -> int:
    """Compute, draw and print; returns the exit status."""
    from analysis.contrasts.arms import compare_arms
    from analysis.show.console.arms import show
    from analysis.show.figures import arms as figure
    from analysis.show.figures.style import save, styled
    from analysis.show.progress import shown
    from analysis.tables.files import check_place
    from analysis.tables.groups import load_groups

    out = Path(given.out) if given.out else Path(given.table).with_name("figures")
    with shown("comparing arms"):
        groups = load_groups(given.table, given.where)
        check_place(out, folder=True)
        found = compare_arms(groups, given.reference, given.metric)
        with styled():
            drawn = figure.draw(found)
        paths = [p for name, fig in drawn.items() for p in save(fig, out, name)]
    if given.json:
        sys.stdout.write(json.dumps(asdict(found), indent=1) + "\n")
    else:
        show(found)
    for path in paths:
        print(path.resolve(), file=sys.stderr)
    return 0
