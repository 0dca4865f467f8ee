"""The `analysis` command: bad input ends in one line on standard error and exit status 2, and
`--help` imports nothing heavy.

Each verb's flags are added by its own module, imported only when that verb is the one called.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from analysis.errors import InputError

VERBS = {
    "fit": "fit gamma*(N) to a table: laws.json beside it, a summary on the screen",
    "plot": "draw the figures of a table",
    "report": "write one self-contained report.html",
    "law": "fit a published law form to anyone's table",
    "compare": "two sweeps, arms or tables side by side",
    "arms": "every arm in one table, at settings chosen on other seeds",
    "cost": "what a loss costs with momentum, over what it costs without",
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
    for name, words in VERBS.items():
        own = verbs.add_parser(name, help=words, description=words)
        if name == verb:
            ADD[name](own)
    return parser


def add_fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep")
    parser.add_argument("--metric", help="instead of the sweep's frozen metric (val_loss, "
                        "mean_loss, accuracy, steps_to_solve)")  # fmt: skip
    parser.add_argument("--form", help="two_sided, quadratic or cubic, instead of the frozen form")
    parser.add_argument("--window", type=float, help="ln gamma on either side of the best cell")
    parser.add_argument("--hold-out", default="deepest", metavar="CONDITION",
                        help="deepest (default), or a condition such as 'depth>=8'")  # fmt: skip
    parser.add_argument("--partial", action="store_true",
                        help="fit an unfinished sweep; names what is missing, no verdict")  # fmt: skip
    parser.add_argument("--quick", action="store_true",
                        help="the law alone: no specification curve, no fungibility")  # fmt: skip
    parser.add_argument("--where", metavar="CONDITION",
                        help="these rows alone, such as \"task == 'recall'\"")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the laws as JSON, nothing else")
    parser.set_defaults(run=run_fit)


def run_fit(given: argparse.Namespace) -> int:
    from pathlib import Path

    from analysis import fit, load
    from analysis.laws.gamma_star.summary import show
    from analysis.laws.result import dumps, write
    from analysis.progress import shown

    if given.window is not None and not given.window > 0:
        raise InputError(f"--window {given.window:g}: a positive number (ln gamma)")
    with shown("fitting"):
        table = load(given.table, given.where)
        result = fit(table, metric=given.metric, form=given.form, window=given.window,
                     partial=given.partial, hold_out=given.hold_out,
                     explore=not given.quick)  # fmt: skip
    out = Path(given.table).with_name("laws.json")
    write(result.laws, out)
    show(result, out, to_stderr=given.json)
    if given.json:
        sys.stdout.write(dumps(result.laws))
    return 0


def add_plot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep")
    parser.add_argument("--out", help="folder of the figures (default: figures/ beside the table)")
    parser.add_argument("--partial", action="store_true", help="draw an unfinished sweep")
    parser.add_argument("--where", metavar="CONDITION",
                        help="these rows alone, such as \"task == 'recall'\"")  # fmt: skip
    parser.set_defaults(run=run_plot)


def run_plot(given: argparse.Namespace) -> int:
    from pathlib import Path

    from analysis import fit, plot
    from analysis.figures import plot_groups
    from analysis.groups import load_groups
    from analysis.progress import shown

    out = Path(given.out) if given.out else Path(given.table).with_name("figures")
    with shown("drawing"):
        groups = load_groups(given.table, given.where)
        if len(groups) > 1:
            plot_groups(groups, out)
        else:
            (table,) = groups.values()
            plot(table, out, fit(table, partial=given.partial))
    print(out.resolve(), file=sys.stderr)
    return 0


def add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep")
    parser.add_argument("--out", help="the page (default: report.html beside the table)")
    parser.add_argument("--partial", action="store_true", help="report an unfinished sweep")
    parser.add_argument("--where", metavar="CONDITION",
                        help="these rows alone, such as \"task == 'recall'\"")  # fmt: skip
    parser.set_defaults(run=run_report)


def run_report(given: argparse.Namespace) -> int:
    from analysis.progress import shown
    from analysis.report import write

    with shown("writing the report"):
        print(write(given.table, given.partial, given.out, given.where), file=sys.stderr)
    return 0


def add_law(parser: argparse.ArgumentParser) -> None:
    from analysis.laws import general

    general.add_arguments(parser)
    parser.set_defaults(run=general.run)


def add_compare(parser: argparse.ArgumentParser) -> None:
    from analysis import compare

    compare.add_arguments(parser)
    parser.set_defaults(run=compare.run)


def add_cost(parser: argparse.ArgumentParser) -> None:
    from analysis.cost import verb

    verb.add_arguments(parser)


def add_tune(parser: argparse.ArgumentParser) -> None:
    from analysis import tune

    tune.add_arguments(parser)


def add_arms(parser: argparse.ArgumentParser) -> None:
    from analysis.arms import verb

    verb.add_arguments(parser)


ADD = {"fit": add_fit, "plot": add_plot, "report": add_report, "law": add_law,
       "compare": add_compare, "arms": add_arms, "cost": add_cost, "tune": add_tune}  # fmt: skip
