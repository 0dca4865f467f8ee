"""The `analysis` command: bad input ends in one line on standard error and exit status 2, and
`--help` imports nothing heavy.

Each verb's flags are added by its own module in `verbs`, imported only when that verb is called.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from analysis.errors import InputError

VERBS = {
    "fit": "fit γ*(N) to a table: laws.json beside it, a summary on the screen",
    "plot": "draw the figures of a table",
    "report": "write one self-contained report.html",
    "law": "fit a published law form to anyone's table",
    "allocate": "the best N and D for a compute budget, by a law fitted to a table",
    "compare": "two sweeps, arms or tables side by side",
    "arms": "every arm in one table, at settings chosen on other seeds",
    "cost": "what a loss costs with momentum, over what it costs without",
    "design": "what a planned sweep would tell of b, simulated from a pilot's noise",
    "tune": "the second stage of a tuning sweep, printed as a sweep file",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        parser = build(arguments[0] if arguments else None)
        given = parser.parse_args(arguments)
        return int(given.run(given) or 0)
    except InputError as error:
        print(f"analysis: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1


def build(verb: str | None) -> argparse.ArgumentParser:
    """The parser, with the flags of `verb` alone filled in."""
    parser = argparse.ArgumentParser(
        prog="analysis", description="Scaling laws with honest uncertainty, from saved tables."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, description in VERBS.items():
        own = verbs.add_parser(name, help=description, description=description)
        if name == verb:
            module = import_module(f"analysis.verbs.{name}")
            module.add_arguments(own)
            own.set_defaults(run=module.run)
    return parser
