# PYTHON_ARGCOMPLETE_OK
"""The verbs: a few lines each. Bad input is one line on standard error and exit status 2."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.errors import UserError, near, refusal

DESCRIPTION = """Scaling-law lab for Momentum Attention.

SWEEP is the stem of a file in ./sweeps or among the shipped ones, or a path. Everything after it
is Hydra's override grammar: model.width=64,128 task=induction cluster=slurm.
"""


def main(argv: list[str] | None = None) -> None:
    """Entry point of `orchestrator`; exits 0, 1 (a run failed) or 2 (bad input)."""
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, always_complete_options=False)
    args, extra = parser.parse_known_args(argv)
    for word in extra:
        if word.startswith("--") or "overrides" not in args:
            known = vars(args)["options"]
            _fail(
                f"{word}: no such option of `orchestrator {args.verb}`{near(word, known)} (see --help)"
            )
        args.overrides.append(word)  # an override that argparse took for an option, such as ~key
    try:
        sys.exit(args.run(args))
    except UserError as e:
        _fail(str(e))
    except OSError as e:
        if (what := refusal(e)) is None:
            raise
        _fail(f"{what}; the same again goes on from here once that is mended")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str) -> None:
    print(f"orchestrator: {message}", file=sys.stderr)
    sys.exit(2)


class _Parser(argparse.ArgumentParser):
    """argparse, with one line for an error and the nearest word that is allowed."""

    def error(self, message: str) -> NoReturn:
        if choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            word, known = choice.group(1), [c.strip("' ") for c in choice.group(2).split(",")]
            what = "verb" if self.prog == "orchestrator" else "choice"
            _fail(f"{word}: no such {what}{near(word, known)}; there are: {', '.join(known)}")
        _fail(f"{message} (see {self.prog} --help)")


class _Version(argparse.Action):
    """Prints what trains: the version, the commit and the hash of the code."""

    def __call__(self, *_: Any) -> NoReturn:
        from importlib.metadata import version

        from orchestrator.records.provenance import code_version, git_commit

        commit = git_commit() or "no commit"
        print(f"momentum-lab {version('momentum-lab')} ({commit[:12]}, code {code_version()})")
        sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="orchestrator", description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action=_Version, nargs=0, help="what is installed here")
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
    config = verb("config", _config, "settings with their meaning and default; a run's as YAML")
    config.add_argument(
        "name", nargs="?", metavar="GROUP|RUN",
        help="model, model.momentum, task=hops, optim.lr, ..., or a run's id; without: everything",
    ).completer = _complete("configured")  # fmt: skip
    retry.add_argument(
        "--replan",
        action="store_true",
        help="in new packs: close those that can't be trained as frozen",
    )
    for sub in (cancel, retry):
        _sweep(sub)
    logs.add_argument("run_id", metavar="RUN", help="a run's id, or the beginning of it")
    probe.add_argument(
        "name", metavar="RUN|SWEEP", help="a run's id or its beginning, or a sweep submitted before"
    )
    check = verb("check", _check, "read the whole store and say what is wrong with it")
    bench = verb("bench", _bench, "what this machine does on a shape, against its limit")
    collect = verb("collect", _collect, "write results/SWEEP/table.parquet and curves.parquet")
    export = verb(
        "export", _export, "a sweep as one archive: tables, configs, environment, citation"
    )
    push = verb("push", _push, "send to W&B what it lacks of a sweep")
    dashboard = verb("dashboard", _dashboard, "make or update a sweep's W&B workspace and report")
    for sub in (plan, submit, export, push, dashboard):
        _sweep(sub)
    for sub in (plan, submit):
        sub.add_argument("--rerun", action="store_true", help="train finished runs again")
        sub.add_argument(
            "--new-law", action="store_true",
            help="go on with another sweep.law than the first submission froze: every result of "
            "the sweep is exploratory from then on",
        )  # fmt: skip
    for sub in (demo, train, plan, submit, bench):
        sub.add_argument(
            "overrides", nargs="*", default=[], metavar="OVERRIDE"
        ).completer = _complete("overrides")
    for sub in (train, plan, submit):
        sub.add_argument("--cfg", choices=("job", "hydra", "all"), help="show the config, and end")
        sub.add_argument("--resolve", action="store_true", help="with its interpolations resolved")
        sub.add_argument(
            "--info", nargs="?", const="all", help="show how Hydra composes it, and end",
            choices=("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
        )  # fmt: skip
    for sub in (status, collect):
        _sweep(sub, nargs="?")
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
    for sub in (plan, status, collect, push, probe, bench, config):
        sub.add_argument("--json", action="store_true", help="the same as JSON, and nothing else")
    check.add_argument("--json", action="store_true", help="the same as JSON, and nothing else")
    check.add_argument("--repair", action="store_true", help="set aside what is damaged, rebuild")
    status.add_argument("--watch", action="store_true", help="go on until nothing runs")
    collect.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    collect.add_argument("--results", type=Path, default=Path("results"), help="output folder")
    for sub in verbs.choices.values():
        sub.set_defaults(options=[w for a in sub._actions for w in a.option_strings])
    return parser


def _sweep(sub: argparse.ArgumentParser, **kinds: Any) -> None:
    """SWEEP, completed by the shell."""
    sub.add_argument("sweep", metavar="SWEEP", **kinds).completer = _complete("sweeps")


def _complete(what: str) -> Callable[..., list[str]]:
    def complete(prefix: str, **about: object) -> list[str]:
        from orchestrator.options import complete

        return getattr(complete, what)(prefix, **about)

    return complete


def _config(args: argparse.Namespace) -> int:
    from orchestrator.options import show

    shown = show.config(args.name)
    _print(args, show.config_json(shown), lambda: show.config_text(shown))
    return 0


def _composition(args: argparse.Namespace) -> bool:
    """Show Hydra's own view where --cfg or --info asks for it; whether it did."""
    if not (args.cfg or args.info):
        return False
    from orchestrator.launch.multirun import show_composition
    from orchestrator.launch.sweeps import find_sweep, shipped

    path = find_sweep(args.sweep) if "sweep" in args else shipped("conf") / "config.yaml"
    show_composition(path, args.overrides, args.cfg, args.info, args.resolve)
    return True


def _plan(args: argparse.Namespace) -> int:
    if _composition(args):
        return 0
    from orchestrator.launch import show, verbs

    plans = verbs.planned(args.sweep, args.overrides, args.rerun, args.new_law)
    _print(args, show.plan_json(plans), lambda: show.plan_text(plans))
    return 0


def _submit(args: argparse.Namespace) -> int:
    if _composition(args):
        return 0
    from orchestrator.launch import verbs

    return verbs.submit_sweep(args.sweep, args.overrides, args.rerun, args.new_law)


def _train(args: argparse.Namespace) -> int:
    if _composition(args):
        return 0
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

    return control.cancel(_recorded(args.sweep))


def _retry(args: argparse.Namespace) -> int:
    from orchestrator.launch import control

    return control.retry(_recorded(args.sweep), args.replan)


def _logs(args: argparse.Namespace) -> int:
    from orchestrator.launch import control

    return control.logs(args.run_id)


def _probe(args: argparse.Namespace) -> int:
    from orchestrator.probe.summary import show
    from orchestrator.probe.verb import probe

    found = probe(args.name, args.results)
    _print(args, found, lambda: show(found))
    return 0


def _check(args: argparse.Namespace) -> int:
    from orchestrator.launch import show, verbs

    problems = verbs.check_store(args.repair)
    _print(args, [vars(p) for p in problems], lambda: show.problems_text(problems))
    return 0 if all(p.repaired for p in problems) else 1


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
    pushed = verbs.push_sweep(_recorded(args.sweep), names)
    _print(args, show.pushed_json(pushed), lambda: show.pushed_text(pushed))
    return 1 if pushed.failed else 0


def _dashboard(args: argparse.Namespace) -> int:
    from orchestrator.tracking import show, verbs

    names = {"project": args.project, "entity": args.entity}
    if args.print:
        print(json.dumps(verbs.specification_of(_recorded(args.sweep), names, args.results)))
    else:
        show.dashboard_text(verbs.dashboard_of(_recorded(args.sweep), names, args.results))
    return 0


def _recorded(sweep: str) -> str:
    """The name of a sweep's records: sub/inner and sweeps/sub/inner.yaml are inner."""
    return Path(sweep).stem if "/" in sweep else sweep


def _print(args: argparse.Namespace, data: Any, text: Callable[[], None]) -> None:
    if args.json:
        print(json.dumps(data))
    else:
        text()


if __name__ == "__main__":
    main()
