"""`analysis law FORM DATA --map ...`: a published law form on anyone's table.

Guarantee: with --json standard output holds the object of laws.json and nothing else; every row
left out is counted; bad input is an InputError of one line and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from analysis.errors import InputError

FORMS = {
    "power": "power",
    "offset-power": "offset_power",
    "chinchilla": "chinchilla",
    "isoflop": "isoflop",
    "depth-width": "depth_width",
}
NAMES = {
    "power": "x, y",
    "offset-power": "x, y",
    "chinchilla": "N, D, L",
    "isoflop": "C, L and N or D",
    "depth-width": "width, depth, D, L",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `analysis law`."""
    described = "; ".join(f"{form} ({names})" for form, names in NAMES.items())
    parser.add_argument("form", metavar="FORM", help=f"with the names to map: {described}")
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
    parser.add_argument("--level", type=float, default=0.95, help="of the intervals (0.95)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (0)")
    parser.add_argument(
        "--figures", metavar="DIR", help="draw the fit, its profiles and its bootstrap into DIR"
    )
    parser.add_argument("--json", action="store_true", help="print the law as JSON, nothing else")


def run(given: argparse.Namespace) -> int:
    """Fit, print, draw; returns the exit status."""
    from analysis.laws.show import show

    if not 0.5 < given.level < 1:
        raise InputError(f"--level {given.level:g}: between 0.5 and 1, e.g. 0.95")
    if given.bootstrap < 0 or 0 < given.bootstrap < 100:
        raise InputError(f"--bootstrap {given.bootstrap}: 0 (profiles) or at least 100")
    outcome = fit_table(
        given.form,
        given.data,
        given.mapping,
        given.loss,
        given.where,
        given.bootstrap,
        given.hold_out,
        given.level,
        given.seed,
        _Progress(),
    )
    if given.json:
        print(json.dumps(outcome.law.to_json(), indent=2, allow_nan=False))
    else:
        show(outcome.law)
    if given.figures:
        from analysis.figures.law_fit import plot_law

        for path in plot_law(outcome, Path(given.figures)):
            print(path, file=sys.stderr)
    return 0


def fit_table(
    form: str,
    data: Any,
    mapping: str | dict[str, str],
    loss: str | None = None,
    where: str | None = None,
    bootstrap: int = 0,
    hold_out: str | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
):
    """Fit `form` to a file (or a DataFrame); returns `analysis.laws.outcome.Outcome`.

    mapping: "N=params,..." or a dict; the other arguments are the flags of the same name.
    Raises InputError for everything that can't be fitted.
    """
    from analysis.estimators.objective import parse_loss
    from analysis.laws import fitting
    from analysis.laws.rows import parse_map, prepare, read_table

    if form not in FORMS:
        raise InputError(f"law form {form!r} is none of {', '.join(FORMS)}")
    columns = parse_map(mapping) if isinstance(mapping, str) else dict(mapping)
    check_names(form, columns)
    chosen = parse_loss(loss) if loss else None
    table = read_table(data) if isinstance(data, str | Path) else data
    response = "y" if "y" in columns else "L"
    rows = prepare(table, columns, response, where)
    source = str(data) if isinstance(data, str | Path) else "a table in memory"
    about = {"table": source, "map": columns, "where": where}
    if form == "isoflop":
        if chosen is not None and chosen.kind != "l2":
            raise InputError("--loss: isoflop's line through the optima is least squares (l2) only")
        return fitting.isoflop_outcome(rows, columns, about, bootstrap, hold_out, level, seed)
    module = import_module(f"analysis.laws.{FORMS[form]}")
    return fitting.outcome(
        module.FORM, rows, columns, chosen, about, bootstrap, hold_out, level, seed, progress
    )


def check_names(form: str, columns: dict[str, str]) -> None:
    """Raise InputError unless exactly the form's names are mapped."""
    if form == "isoflop":
        need, sizes = {"C", "L"}, {"N", "D"} & set(columns)
        if len(sizes) != 1 or not need <= set(columns) or set(columns) - need - {"N", "D"}:
            raise InputError(
                f"isoflop maps C, L and one of N, D; given: {', '.join(columns) or 'nothing'}"
            )
        return
    need = [name.strip() for name in NAMES[form].split(",")]
    if missing := [n for n in need if n not in columns]:
        raise InputError(f"{form} maps {NAMES[form]}; missing: {', '.join(missing)}")
    if extra := [n for n in columns if n not in need]:
        raise InputError(f"{form} maps {NAMES[form]}; {extra[0]!r} is none of them")


class _Progress:
    """Bootstraps done and time left on standard error, from the second second on."""

    def __init__(self) -> None:
        import time

        self.clock, self.start, self.shown = time.monotonic, time.monotonic(), 0.0
        self.first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = self.clock() - self.start
        if self.first is None:
            self.first = (done, now)
        terminal = sys.stderr.isatty()
        if now < 2 or (done < total and now - self.shown < (0.5 if terminal else 5)):
            return
        self.shown = now
        # the first replicates are searched from every start: they say nothing of the rest's pace
        since, count = now - self.first[1], done - self.first[0]
        left = f", {since / count * (total - done):.0f} s left" if count else ""
        end = "\r" if terminal and done < total else "\n"
        print(f"bootstrap {done} of {total}{left} ", end=end, file=sys.stderr, flush=True)
