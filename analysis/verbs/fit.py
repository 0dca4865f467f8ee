"""`analysis fit TABLE`: gamma*(N) of every arm; laws.json and the whole fit beside the table.

A fit under other choices than the frozen ones is written beside those, never over them.
"""

from __future__ import annotations

import argparse
import sys

from analysis.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("table", help="table.parquet (or .csv) of a sweep")
    parser.add_argument("--metric", help="instead of the sweep's frozen metric (val_loss, "
                        "mean_loss, accuracy, steps_to_solve)")  # fmt: skip
    parser.add_argument("--form", help="two_sided, quadratic or cubic, instead of the frozen form")
    parser.add_argument("--window", type=float, help="ln γ on either side of the best cell")
    parser.add_argument("--hold-out", default="deepest", metavar="CONDITION",
                        help="deepest (default), or a condition such as 'depth>=8'")  # fmt: skip
    parser.add_argument("--partial", action="store_true",
                        help="fit an unfinished sweep; names what is missing, no verdict")  # fmt: skip
    parser.add_argument("--quick", action="store_true",
                        help="the law alone: no specification curve, no fungibility")  # fmt: skip
    parser.add_argument("--where", metavar="CONDITION",
                        help="these rows alone, such as \"task == 'recall'\"")  # fmt: skip
    parser.add_argument("--cluster", metavar="COLUMN",
                        help="the replicates are the values of this column instead of the seeds")  # fmt: skip
    parser.add_argument("--weights", metavar="COLUMN",
                        help="the precision of each run (its inverse variance, up to a factor)")  # fmt: skip
    parser.add_argument("--scale", default="log", choices=("log", "linear"),
                        help="where the metric's noise is even: in its logarithm (default), or in "
                        "the metric itself")  # fmt: skip
    parser.add_argument("--predict", metavar="N=16",
                        help="γ* at a depth, with the 95 %% interval of a new depth's own")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the laws as JSON, nothing else")


def run(given: argparse.Namespace) -> int:
    """Fit, write and show; returns the exit status."""
    from analysis.gamma_star import fit
    from analysis.gamma_star.provenance import suffix, with_looks
    from analysis.gamma_star.saved import save
    from analysis.show.console.fit import show
    from analysis.show.progress import shown
    from analysis.tables.files import check_place
    from analysis.tables.laws_json import dumps, write
    from analysis.tables.table import load

    if given.window is not None and not given.window > 0:
        raise InputError(f"--window {given.window:g}: a positive number (ln γ)")
    with shown("fitting"):
        table = load(given.table, given.where, given.cluster, given.weights, given.scale)
        check_place(table.path.with_name("laws.json"))
        result = fit(table, metric=given.metric, form=given.form, window=given.window,
                     partial=given.partial, hold_out=given.hold_out,
                     explore=not given.quick, predict=given.predict)  # fmt: skip
    result = with_looks(result, table)
    out = table.path.with_name(f"laws{suffix(result.provenance['differs'])}.json")
    write(result.laws, out)
    if not given.quick:
        save(result, table)
    show(result, out, to_stderr=given.json)
    if given.json:
        sys.stdout.write(dumps(result.laws))
    return 0
