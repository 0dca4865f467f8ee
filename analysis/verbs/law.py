"""`analysis law FORM DATA --map ...`: a published law form on anyone's table.

Guarantee: with --json standard output holds the object of laws.json and nothing else; bad input is
an InputError of one line and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path

from analysis.errors import InputError
from analysis.forms import FORMS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    described = "; ".join(f"{form} ({names})" for form, (_, names) in FORMS.items())
    parser.add_argument(
        "form",
        metavar="FORM",
        help=f"with the names to map: {described}; or a form of one's own by import path, "
        "my.laws.Tied, from the folder one stands in",
    )
    parser.add_argument(
        "--minimum",
        metavar="spline|parabola",
        help="isoflop: each budget's minimum by a smoothing spline (default) or by a parabola",
    )
    parser.add_argument(
        "--predict",
        metavar="N=1e9,D=2e10",
        help="a new row's response there, with its prediction interval (needs --bootstrap)",
    )
    parser.add_argument("--fix", metavar="E=0,...", help="parameters held at a value")
    parser.add_argument("--tie", metavar="alpha=beta,...", help="parameters held equal")
    parser.add_argument("data", metavar="DATA", help=".csv, .tsv, .parquet or .jsonl")
    parser.add_argument(
        "--map",
        required=True,
        metavar="N=params,D=tokens,L=loss",
        dest="mapping",
        help="a column or an expression for each name, e.g. D='flops/(6*params)'; "
        "a column with spaces inside an expression goes in backticks",
    )
    parser.add_argument(
        "--loss",
        help="huber:DELTA, lad or l2, on ln y (default: huber:1e-3 for "
        "chinchilla and depth-width, l2 for power laws)",
    )
    parser.add_argument("--where", metavar="CONDITION", help="rows to keep, e.g. 'loss < 5'")
    parser.add_argument(
        "--bootstrap",
        type=int,
        default=0,
        metavar="COUNT",
        help="percentile intervals from COUNT case bootstraps (default: profile likelihood)",
    )
    parser.add_argument(
        "--hold-out",
        metavar="CONDITION",
        help="rows to leave out of the fit and predict, e.g. 'params > 1e9'",
    )
    parser.add_argument(
        "--cluster",
        metavar="COLUMN",
        help="rows of one value are one unit for intervals and checks (default: a run or model "
        "column whose rows differ in N or D, if there is one; none: every row is its own)",
    )
    parser.add_argument(
        "--weights",
        metavar="COLUMN",
        help="the precision of each row (its inverse variance, up to a factor)",
    )
    parser.add_argument(
        "--scale",
        default="log",
        choices=("log", "linear"),
        help="residuals ln y - ln f (default) or y - f, in y's unit as --loss huber:DELTA then is",
    )
    parser.add_argument("--level", type=float, default=0.95, help="of the intervals (0.95)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (0)")
    parser.add_argument(
        "--figures", metavar="DIR", help="draw the fit, its profiles and its bootstrap into DIR"
    )
    parser.add_argument("--json", action="store_true", help="print the law as JSON, nothing else")


def run(given: argparse.Namespace) -> int:
    """Fit, print, draw; returns the exit status."""
    from analysis.forms.choices import Choices
    from analysis.forms.law import fit_table
    from analysis.show.console.law import show
    from analysis.show.progress import Bootstraps
    from analysis.tables.files import check_place

    if not 0.5 < given.level < 1:
        raise InputError(f"--level {given.level:g}: between 0.5 and 1, e.g. 0.95")
    if given.bootstrap < 0 or 0 < given.bootstrap < 100:
        raise InputError(f"--bootstrap {given.bootstrap}: 0 (profiles) or at least 100")
    choices = Choices(**{f.name: getattr(given, f.name) for f in fields(Choices)})
    if given.figures:
        check_place(Path(given.figures), folder=True)
    fitted = fit_table(given.form, given.data, given.mapping, choices, Bootstraps())
    if given.json:
        print(json.dumps(fitted.law.to_json(), indent=2, allow_nan=False))
    else:
        show(fitted.law)
    if given.figures:
        from analysis.show.figures.law_fit import plot_law

        for path in plot_law(fitted, Path(given.figures)):
            print(path, file=sys.stderr)
    return 0
