# PYTHON_ARGCOMPLETE_OK
"""The verbs: a few lines each. Bad input is one line on standard error and exit status 2."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.arguments import fail, new_parser
from orchestrator.errors import UserError, near, refusal


def main(argv: list[str] | None = None) -> None:
    """Entry point of `orchestrator`; exits 0, 1 (a run failed) or 2 (bad input)."""
    parser = new_parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, always_complete_options=False)
    args, extra = parser.parse_known_args(argv)
    for word in extra:
        if word.startswith("--") or "overrides" not in args:
            known = vars(args)["options"]
            fail(
                f"{word}: no such option of `orchestrator {args.verb}`{near(word, known)} (see --help)"
            )
        args.overrides.append(word)  # an override that argparse took for an option, such as ~key
    try:
        sys.exit(VERBS[args.verb](args))
    except UserError as e:
        fail(str(e))
    except OSError as e:
        if (what := refusal(e)) is None:
            raise
        fail(f"{what}; the same again goes on from here once that is mended")
    except KeyboardInterrupt:
        sys.exit(130)


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
    from orchestrator.launch import reports, show

    if args.watch:
        return reports.watch(args.sweep, args.current)
    states = reports.statuses(args.sweep, args.current)
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
    if args.coordinates:
        return _coordinates(args)
    if args.overrides:
        fail(f"{args.overrides[0]}: probe takes overrides with --coordinates alone (see --help)")
    from orchestrator.probe.summary import show
    from orchestrator.probe.verb import probe

    found = probe(args.name, args.results)
    _print(args, found, lambda: show(found))
    return 0


def _coordinates(args: argparse.Namespace) -> int:
    from orchestrator.launch import verbs
    from orchestrator.probe import coordinates

    name, runs = verbs.composed(args.name, args.overrides)
    found = coordinates.check(name, runs, args.steps, args.results)
    _print(args, found, lambda: coordinates.show(found))
    return 0


def _check(args: argparse.Namespace) -> int:
    from orchestrator.launch import reports, show

    problems = reports.check_store(args.repair)
    _print(args, [vars(p) for p in problems], lambda: show.problems_text(problems))
    return 0 if all(p.repaired for p in problems) else 1


def _bench(args: argparse.Namespace) -> int:
    from orchestrator.bench.verb import bench_text, run_bench, run_paper

    if args.paper:
        from orchestrator.bench.paper.bound import bound_text

        found = run_paper(args.paper, args.overrides)
        _print(args, found, lambda: bound_text(found))
        return 0
    measured = run_bench(args.overrides)
    _print(args, measured, lambda: bench_text(measured))
    return 0


def _collect(args: argparse.Namespace) -> int:
    from orchestrator.launch import reports, show

    collected = reports.collect_sweep(args.sweep, args.results, args.format == "csv", args.current)
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


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "train": _train,
    "plan": _plan,
    "submit": _submit,
    "status": _status,
    "cancel": _cancel,
    "retry": _retry,
    "logs": _logs,
    "probe": _probe,
    "config": _config,
    "check": _check,
    "bench": _bench,
    "collect": _collect,
    "push": _push,
    "dashboard": _dashboard,
    "export": _export,
}


if __name__ == "__main__":
    main()
