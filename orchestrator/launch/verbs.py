"""Verbs that plan and train: over composition, plan and submission."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from orchestrator.config import RunConfig
from orchestrator.errors import UserError
from orchestrator.launch import show
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.launcher import launcher
from orchestrator.launch.multirun import run_hydra
from orchestrator.launch.optimise import Unfinished, objectives, require_columns
from orchestrator.launch.plan import Plan, make_plan
from orchestrator.launch.reports import collect_sweep
from orchestrator.launch.submit import submit
from orchestrator.launch.sweeps import find_sweep, shipped, sweep_name
from orchestrator.law import settle
from orchestrator.records.attempts import attempts, results
from orchestrator.records.manifests import law_history
from orchestrator.records.store import Store, open_store


def planned(
    sweep: str, overrides: list[str], rerun: bool = False, new_law: bool = False
) -> list[Plan]:
    """The plan of a sweep, as a list of one (an optimising sweeper can't be planned).

    Raises: UserError.
    """
    plans = compose_plan(sweep, overrides, rerun)
    _settle(open_store(), plans[0], new_law)
    return plans


def _settle(store: Store, plan: Plan, new_law: bool) -> bool:
    return settle(law_history(store, plan.sweep), plan.settings.sweep.law, new_law)


def compose_plan(sweep: str, overrides: list[str], rerun: bool = False) -> list[Plan]:
    """The plan alone, whatever law the sweep has recorded. Raises: UserError."""
    path, store = find_sweep(sweep), open_store()
    plans: list[Plan] = []

    def verb(batch: list[Experiment]) -> None:
        require_columns(batch)
        plans.append(make_plan(store, _name(path, batch), batch, rerun))

    run_hydra(path, overrides, verb)
    return plans


def composed(sweep: str, overrides: list[str]) -> tuple[str, list[RunConfig]]:
    """Name and distinct runs of a sweep, of which nothing is looked up or written. Raises: UserError."""
    path = find_sweep(sweep)
    found: list[Experiment] = []
    run_hydra(path, overrides, found.extend)
    return _name(path, found), list({e.run.run_id: e.run for e in found}.values())


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
