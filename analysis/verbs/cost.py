"""`analysis cost TABLE`: iso-quality cost, on the screen and as a figure."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("table", help="table.parquet of a sweep, curves.parquet beside it")
    parser.add_argument("--where", metavar="CONDITION", help="these rows alone")
    parser.add_argument("--out", help="folder of the figure (default: figures/ beside the table)")
    parser.add_argument(
        "--json", action="store_true", help="print the ratios as JSON, nothing else"
    )


def run(given: argparse.Namespace) -> int:
    """Compute, draw and print; returns the exit status."""
    from analysis.contrasts.cost import costs
    from analysis.show.console.narrow import screen
    from analysis.show.cost_sentences import sentences
    from analysis.show.figures import cost as figure
    from analysis.show.figures.style import save, slug, styled
    from analysis.show.progress import shown
    from analysis.tables.files import check_place
    from analysis.tables.groups import load_groups

    paths = []
    out = Path(given.out) if given.out else Path(given.table).with_name("figures")
    with shown("pricing"):
        groups = load_groups(given.table, given.where)
        check_place(out, folder=True)
        found = [costs(label, table) for label, table in groups.items()]
        for one in found:
            with styled():
                drawn = figure.draw(one)
            name = "cost" + (f"_{slug(one.task)}" if len(found) > 1 else "")
            if isinstance(drawn, str):
                print(f"not drawn: {drawn}", file=sys.stderr)
            else:
                paths += save(drawn, out, name)
    if given.json:
        sys.stdout.write(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    else:
        console = screen()
        for line in (line for one in found for line in sentences(one)):
            console.print(line)
    for path in paths:
        print(path.resolve(), file=sys.stderr)
    return 0
