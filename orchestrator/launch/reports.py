"""Verbs that read the store: status, collect, check. Nothing of Hydra is imported for them."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError
from orchestrator.launch import show
from orchestrator.launch.state import DONE
from orchestrator.launch.status import SweepStatus, settled, sweep_status
from orchestrator.law import status_of
from orchestrator.records import leftovers
from orchestrator.records.check import Problem, check
from orchestrator.records.manifests import Sweep, read_sweep, sweep_names
from orchestrator.records.store import Store, open_store


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
    from orchestrator.launch.verbs import compose_plan

    (plan,) = compose_plan(sweep, [])
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
