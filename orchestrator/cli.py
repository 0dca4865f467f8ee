"""The verbs: a few lines each. Bad input is one line on standard error and exit status 2."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError

DESCRIPTION = """Scaling-law lab for Momentum Attention.

SWEEP is the stem of a file in ./sweeps or among the shipped ones, or a path. Everything after it
is Hydra's override grammar: model.width=64,128 task=induction cluster=slurm.
"""


def main(argv: list[str] | None = None) -> None:
    """Entry point of `orchestrator`; exits 0, 1 (a run failed) or 2 (bad input)."""
    args, extra = _parser().parse_known_args(argv)
    overrides = getattr(args, "overrides", [])
    for word in extra:
        if word.startswith("--"):
            _fail(f"{word}: no such option of `orchestrator {args.verb}` (see --help)")
        overrides.append(word)  # an override that argparse took for an option, such as ~key
    try:
        sys.exit(args.run(args))
    except UserError as e:
        _fail(str(e))
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str) -> None:
    print(f"orchestrator: {message}", file=sys.stderr)
    sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="orchestrator", description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Callable[[Any], int], text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    demo = verb("demo", _demo, "the whole pipeline, small, on this machine")
    train = verb("train", _train, "train one run: orchestrator train model.depth=2")
    plan = verb("plan", _plan, "what a submission would train, and why; trains nothing")
    submit = verb("submit", _submit, "train what is missing of a sweep")
    status = verb("status", _status, "what has become of a sweep")
    cancel = verb("cancel", _cancel, "take a sweep's jobs out of the queue; what is done stays")
    retry = verb("retry", _retry, "train a sweep's failed runs again, as submitted last")
    logs = verb("logs", _logs, "the end of a run's log, and where it lies")
    probe = verb("probe", _probe, "spectral forensics of a run, or of all runs of a sweep")
    for sub in (cancel, retry):
        sub.add_argument("sweep", metavar="SWEEP")
    logs.add_argument("run_id", metavar="RUN", help="a run's id, or the beginning of it")
    probe.add_argument(
        "name", metavar="RUN|SWEEP", help="a run's id or its beginning, or a sweep submitted before"
    )
    bench = verb("bench", _bench, "what this machine does on a shape, against its limit")
    collect = verb("collect", _collect, "write results/SWEEP/table.parquet and curves.parquet")
    export = verb(
        "export", _export, "a sweep as one archive: tables, configs, environment, citation"
    )
    push = verb("push", _push, "send to W&B what it lacks of a sweep")
    dashboard = verb("dashboard", _dashboard, "make or update a sweep's W&B workspace and report")
    for sub in (plan, submit, export, push, dashboard):
        sub.add_argument("sweep", metavar="SWEEP")
    for sub in (plan, submit):
        sub.add_argument("--rerun", action="store_true", help="train finished runs again")
        sub.add_argument(
            "--new-law", action="store_true",
            help="go on with another sweep.law than the first submission froze: every result of "
            "the sweep is exploratory from then on",
        )  # fmt: skip
    for sub in (demo, train, plan, submit, bench):
        sub.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE")
    for sub in (status, collect):
        sub.add_argument("sweep", nargs="?", metavar="SWEEP")
        sub.add_argument("--current", action="store_true", help="only the runs of today's file")
    push.add_argument("--granularity", metavar="run|pack|sweep", help="what one W&B run is")
    probe.add_argument(
        "--results", type=Path, default=Path("results"), help="output folder of a sweep's tables"
    )
    export.add_argument("--results", type=Path, default=Path("results"), help="its tables")
    export.add_argument("--out", type=Path, help="the archive; default: RESULTS/SWEEP.tar.gz")
    dashboard.add_argument("--results", type=Path, default=Path("results"), help="its analysis")
    dashboard.add_argument(
        "--print", action="store_true", help="the specification as JSON; needs no account"
    )
    for sub in (push, dashboard):
        sub.add_argument("--project", help="W&B project; default: the submission's")
        sub.add_argument("--entity", help="W&B user or team; default: the submission's, or yours")
    for sub in (plan, status, collect, push, probe, bench):
        sub.add_argument("--json", action="store_true", help="the same as JSON, and nothing else")
    status.add_argument("--watch", action="store_true", help="go on until nothing runs")
    collect.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    collect.add_argument("--results", type=Path, default=Path("results"), help="output folder")
    return parser


def _plan(args: argparse.Namespace) -> int:
    from orchestrator.launch import show, verbs

    plans = verbs.planned(args.sweep, args.overrides, args.rerun, args.new_law)
    _print(args, show.plan_json(plans), lambda: show.plan_text(plans))
    return 0


def _submit(args: argparse.Namespace) -> int:
    from orchestrator.launch import verbs

    return verbs.submit_sweep(args.sweep, args.overrides, args.rerun, args.new_law)


def _train(args: argparse.Namespace) -> int:
    from orchestrator.launch import verbs

    return verbs.train(args.overrides)


def _demo(args: argparse.Namespace) -> int:
    from orchestrator.launch import verbs

    return verbs.demo(args.overrides)


def _status(args: argparse.Namespace) -> int:
    from orchestrator.launch import show, verbs

    if args.watch:
        return verbs.watch(args.sweep, args.current)
    states = verbs.statuses(args.sweep, args.current)
    _print(args, show.status_json(states), lambda: show.status_text(states))
    return 0


def _cancel(args: argparse.Namespace) -> int:
    from orchestrator.launch import control

    return control.cancel(args.sweep)


def _retry(args: argparse.Namespace) -> int:
    from orchestrator.launch import control

    return control.retry(args.sweep)


def _logs(args: argparse.Namespace) -> int:
    from orchestrator.launch import control

    return control.logs(args.run_id)


def _probe(args: argparse.Namespace) -> int:
    from orchestrator.probe.summary import show
    from orchestrator.probe.verb import probe

    found = probe(args.name, args.results)
    _print(args, found, lambda: show(found))
    return 0


def _bench(args: argparse.Namespace) -> int:
    from orchestrator.bench.verb import bench_text, run_bench

    measured = run_bench(args.overrides)
    _print(args, measured, lambda: bench_text(measured))
    return 0


def _collect(args: argparse.Namespace) -> int:
    from orchestrator.launch import show, verbs

    collected = verbs.collect_sweep(args.sweep, args.results, args.format == "csv", args.current)
    _print(args, collected, lambda: show.collected_text(collected))
    return 0


def _export(args: argparse.Namespace) -> int:
    from orchestrator.launch.export import export

    print(export(args.sweep, args.results, args.out))
    return 0


def _push(args: argparse.Namespace) -> int:
    from orchestrator.tracking import show, verbs

    names = {"project": args.project, "entity": args.entity, "granularity": args.granularity}
    pushed = verbs.push_sweep(args.sweep, names)
    _print(args, show.pushed_json(pushed), lambda: show.pushed_text(pushed))
    return 1 if pushed.failed else 0


def _dashboard(args: argparse.Namespace) -> int:
    from orchestrator.tracking import show, verbs

    names = {"project": args.project, "entity": args.entity}
    if args.print:
        print(json.dumps(verbs.specification_of(args.sweep, names, args.results)))
    else:
        show.dashboard_text(verbs.dashboard_of(args.sweep, names, args.results))
    return 0


def _print(args: argparse.Namespace, data: Any, text: Callable[[], None]) -> None:
    if args.json:
        print(json.dumps(data))
    else:
        text()


if __name__ == "__main__":
    main()
