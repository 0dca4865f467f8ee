"""What the verbs do, over composition, plan, submission and records."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError
from orchestrator.launch import show
from orchestrator.launch.compose import Experiment
from orchestrator.launch.launcher import launcher
from orchestrator.launch.multirun import run_hydra
from orchestrator.launch.optimise import Unfinished, objectives, require_columns
from orchestrator.launch.plan import Plan, make_plan
from orchestrator.launch.state import DONE
from orchestrator.launch.status import SweepStatus, settled, sweep_status
from orchestrator.launch.submit import submit
from orchestrator.launch.sweeps import find_sweep, shipped, sweep_name
from orchestrator.law import settle, status_of
from orchestrator.records import leftovers
from orchestrator.records.attempts import attempts, results
from orchestrator.records.check import Problem, check
from orchestrator.records.manifests import Sweep, law_history, read_sweep, sweep_names
from orchestrator.records.store import Store, open_store


def planned(
    sweep: str, overrides: list[str], rerun: bool = False, new_law: bool = False
) -> list[Plan]:
    """The plan of a sweep, as a list of one (an optimising sweeper can't be planned).

    Raises: UserError.
    """
    plans = _planned(sweep, overrides, rerun)
    _settle(open_store(), plans[0], new_law)
    return plans


def _settle(store: Store, plan: Plan, new_law: bool) -> bool:
    return settle(law_history(store, plan.sweep), plan.settings.sweep.law, new_law)


def _planned(sweep: str, overrides: list[str], rerun: bool = False) -> list[Plan]:
    path, store = find_sweep(sweep), open_store()
    plans: list[Plan] = []

    def verb(batch: list[Experiment]) -> None:
        require_columns(batch)
        plans.append(make_plan(store, _name(path, batch), batch, rerun))

    run_hydra(path, overrides, verb)
    return plans


def submit_sweep(
    sweep: str, overrides: list[str], rerun: bool = False, new_law: bool = False
) -> int:
    """Train what is missing; 1 where it waited and a run is not done, else 0. Raises: UserError."""
    path, store = find_sweep(sweep), open_store()
    failed = 0

    def trained(batch: list[Experiment]) -> Plan:
        nonlocal failed
        require_columns(batch)
        plan = make_plan(store, _name(path, batch), batch, rerun)
        changed = _settle(store, plan, new_law)
        show.plan_lines(plan, store)
        failed += len(submit(store, plan, overrides, changed).left)
        return plan

    def optimise(batch: list[Experiment]) -> list[Any]:
        how = batch[0].settings
        if not launcher(how).waits:
            raise UserError(
                "cluster.wait=false: this hydra/sweeper needs the results; give cluster.wait=true"
            )
        plan = trained(batch)
        rows: dict[str, dict[str, Any]] = {}
        for pack_id in set(plan.pack_of.values()):
            rows |= results(attempts(store, pack_id))
        asked = how.sweep.objectives or [how.sweep.law.metric]
        return [objectives(e.run, rows.get(e.run.run_id, {}), asked) for e in batch]

    try:
        run_hydra(path, overrides, trained, optimise)
    except Unfinished as e:
        print(f"{e}; submit again to go on", file=sys.stderr)
        return 1
    return 1 if failed else 0


def _name(path: Path, batch: list[Experiment]) -> str:
    return sweep_name(path, batch[0].settings.sweep.name)


def train(overrides: list[str]) -> int:
    """Train one run and print its result; 1 where it failed. Raises: UserError."""
    path, store = shipped("conf") / "config.yaml", open_store()
    plans: list[Plan] = []
    for word in overrides:
        if word.lstrip("+~").startswith("sweep."):
            raise UserError(f"{word}: train is no sweep; write one, see `submit`")

    def verb(batch: list[Experiment]) -> None:
        if len(batch) != 1:
            raise UserError("train: takes one run; for several write a sweep, see `submit`")
        plans.append(make_plan(store, "train", batch))

    run_hydra(path, overrides, verb)
    (plan,) = plans
    show.plan_lines(plan, store)
    submitted = submit(store, plan, overrides)
    show.result_text(store, plan)
    return 1 if submitted.left else 0


def demo(overrides: list[str]) -> int:
    """Submit, collect, fit and plot the demo sweep. Raises: UserError."""
    from analysis.cli import main as analyse

    failed = submit_sweep("demo", overrides)
    if failed:
        return failed
    collected = collect_sweep("demo", Path("results"), csv=False)
    show.collected_text(collected)
    table = collected["tables"][0]
    return analyse(["fit", table]) or analyse(["plot", table])


def statuses(sweep: str | None, current: bool = False) -> list[SweepStatus]:
    """Status of one sweep, or of all the store has. Raises: UserError."""
    store = open_store()
    return [sweep_status(store, s) for s in _sweeps(store, sweep, current)]


def watch(sweep: str | None, current: bool = False) -> int:
    """Show the status until nothing runs."""
    from rich.live import Live

    states = statuses(sweep, current)
    with Live(show.status_table(states), refresh_per_second=2) as live:
        while not settled(states):
            time.sleep(2)
            states = statuses(sweep, current)
            live.update(show.status_table(states))
    return 0


def collect_sweep(
    sweep: str | None, results: Path, csv: bool, current: bool = False
) -> dict[str, Any]:
    """Write the tables of a sweep (or of the whole store); what was written, and what is missing.

    Raises: UserError where there is nothing to collect.
    """
    from orchestrator.records.collect import collect

    store = open_store()
    sweeps = _sweeps(store, sweep, current)
    if not sweeps:
        raise UserError(f"store {store.root}: no sweep was submitted yet")
    name = sweeps[0].name if sweep else "all"
    expected = len({run_id for s in sweeps for run_id in s.members})
    about = {"format": 1, "sweep": name, "expected": expected, **_law(sweeps)}
    made = collect(store, sweeps, results / name, about, csv)
    return {
        "store": str(store.root), "runs": sum(made.statuses.get(s, 0) for s in DONE),
        "expected": expected, "statuses": made.statuses, "missing": len(made.missing),
        "tables": [str(p) for p in made.paths],
    }  # fmt: skip


def _sweeps(store: Store, sweep: str | None, current: bool) -> list[Sweep]:
    """One sweep, or all the store has; `current`: only the runs of today's file."""
    if current and not sweep:
        raise UserError("--current: name the sweep whose file of today it restricts to")
    names = [Path(sweep).stem if "/" in sweep else sweep] if sweep else sweep_names(store)
    if not names:
        print(f"store {store.root}: no sweep was submitted yet", file=sys.stderr)
    found = [read_sweep(store, name) for name in names]
    if not current:
        return found
    (plan,) = _planned(sweep, [])
    members = {r: m for r, m in found[0].members.items() if r in plan.pack_of}
    return [replace(found[0], members=members)]


def _law(sweeps: list[Sweep]) -> dict[str, Any]:
    """What a table's metadata says of its primary analysis; several sweeps have none of their own."""
    last = sweeps[-1]
    return {
        "law": last.law,
        "law_status": status_of(last.laws) if len(sweeps) == 1 else "exploratory",
        "law_history": [{"sweep": s.name, **entry} for s in sweeps for entry in s.laws],
    }


def check_store(repair: bool) -> list[Problem]:
    """What is wrong with the store; with `repair`, mended where it can be. Raises: UserError."""
    store = open_store()
    if not store.root.is_dir():
        raise UserError(f"store {store.root}: not there")
    try:
        found = check(store, repair)
        if repair and (count := leftovers.remove(store)):
            print(f"{count} files that killed processes left half written were removed",
                  file=sys.stderr)  # fmt: skip
        return found
    except OSError as e:
        raise UserError(f"{e.filename or store.root}: {e.strerror}") from e
