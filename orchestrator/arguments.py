"""The verbs' words and options: what the command line takes, and what the shell completes."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.errors import near

DESCRIPTION = """Scaling-law lab for Momentum Attention.

SWEEP is the stem of a file in ./sweeps or among the shipped ones, or a path. Everything after it
is Hydra's override grammar: model.width=64,128 task=induction cluster=slurm.
"""


def fail(message: str) -> NoReturn:
    """One line on standard error, and exit status 2."""
    print(f"orchestrator: {message}", file=sys.stderr)
    sys.exit(2)


class _Parser(argparse.ArgumentParser):
    """argparse, with one line for an error and the nearest word that is allowed."""

    def error(self, message: str) -> NoReturn:
        if choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            word, known = choice.group(1), [c.strip("' ") for c in choice.group(2).split(",")]
            what = "verb" if self.prog == "orchestrator" else "choice"
            fail(f"{word}: no such {what}{near(word, known)}; there are: {', '.join(known)}")
        fail(f"{message} (see {self.prog} --help)")


class _Version(argparse.Action):
    """Prints what trains: the version, the commit and the hash of the code."""

    def __call__(self, *_: Any) -> NoReturn:
        from importlib.metadata import version

        from orchestrator.records.provenance import code_version, git_commit

        commit = git_commit() or "no commit"
        print(f"momentum-lab {version('momentum-lab')} ({commit[:12]}, code {code_version()})")
        sys.exit(0)


def new_parser() -> argparse.ArgumentParser:
    """All verbs; the verb chosen is `verb` of what it gives, its options `options`."""
    words = _Parser(
        prog="orchestrator", description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    words.add_argument("--version", action=_Version, nargs=0, help="what is installed here")
    verbs = words.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=text, description=text)

    demo = verb("demo", "the whole pipeline, small, on this machine")
    train = verb("train", "train one run: orchestrator train model.depth=2")
    plan = verb("plan", "what a submission would train, and why; trains nothing")
    submit = verb("submit", "train what is missing of a sweep")
    status = verb("status", "what has become of a sweep")
    cancel = verb("cancel", "take a sweep's jobs out of the queue; what is done stays")
    retry = verb("retry", "train a sweep's failed runs again, as submitted last")
    logs = verb("logs", "the end of a run's log, and where it lies")
    probe = verb("probe", "spectral forensics of a run, or of all runs of a sweep")
    config = verb("config", "settings with their meaning and default; a run's as YAML")
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
    check = verb("check", "read the whole store and say what is wrong with it")
    bench = verb("bench", "what this machine does on a shape, against its limit")
    bench.add_argument(
        "--paper", choices=("a100", "h100", "b200"), metavar="a100|h100|b200",
        help="the least time the step takes on that GPU by its data sheet; needs no GPU",
    )  # fmt: skip
    collect = verb("collect", "write results/SWEEP/table.parquet and curves.parquet")
    export = verb("export", "a sweep as one archive: tables, configs, environment, citation")
    push = verb("push", "send to W&B what it lacks of a sweep")
    dashboard = verb("dashboard", "make or update a sweep's W&B workspace and report")
    for sub in (plan, submit, export, push, dashboard):
        _sweep(sub)
    for sub in (plan, submit):
        sub.add_argument("--rerun", action="store_true", help="train finished runs again")
        sub.add_argument(
            "--new-law", action="store_true",
            help="go on with another sweep.law than the first submission froze: every result of "
            "the sweep is exploratory from then on",
        )  # fmt: skip
    for sub in (demo, train, plan, submit, bench, probe):
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
    probe.add_argument(
        "--coordinates", action="store_true",
        help="of a sweep's file, without training it: sizes of activations at the start, and their "
        "change over the first steps, against width and depth",
    )  # fmt: skip
    probe.add_argument("--steps", type=int, default=10, help="with --coordinates; default: 10")
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
    return words


def _sweep(sub: argparse.ArgumentParser, **kinds: Any) -> None:
    """SWEEP, completed by the shell."""
    sub.add_argument("sweep", metavar="SWEEP", **kinds).completer = _complete("sweeps")


def _complete(what: str) -> Callable[..., list[str]]:
    def complete(prefix: str, **about: object) -> list[str]:
        from orchestrator.options import complete

        return getattr(complete, what)(prefix, **about)

    return complete
