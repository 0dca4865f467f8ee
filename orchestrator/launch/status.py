"""What has become of a sweep, from its records alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from orchestrator.launch.plan import unfinished_state
from orchestrator.records.attempts import attempts, results
from orchestrator.records.manifests import Sweep
from orchestrator.records.store import Store, read_json


@dataclass(frozen=True)
class SweepStatus:
    """Counts over the runs of a sweep, and what is known of those under way or failed."""

    sweep: str
    counts: dict[str, int]
    """completed, diverged, running, waiting, failed, stopped, dead."""
    running: list[dict[str, Any]]
    """One entry a pack under way: pack, runs, first, step, host."""
    errors: list[dict[str, Any]]
    """One entry a failed pack: pack, error, folder."""


def sweep_status(store: Store, sweep: Sweep) -> SweepStatus:
    """Read the state of every pack of a sweep."""
    counts: Counter[str] = Counter()
    running, errors = [], []
    by_pack: dict[str, list[str]] = {}
    for member in sweep.members.values():
        by_pack.setdefault(member.pack_id, []).append(member.run_id)
    for pack_id, run_ids in by_pack.items():
        tries = attempts(store, pack_id)
        found = results(tries)
        open_runs = [r for r in run_ids if r not in found]
        counts.update(found[r]["status"] for r in run_ids if r in found)
        if not open_runs:
            continue
        state = unfinished_state(tries)
        counts[state] += len(open_runs)
        if state == "running":
            last = tries[-1]
            progress = read_json(last.progress) or {}
            running.append({"pack": pack_id, "host": last.claim["host"], **progress})
        elif state == "failed":
            last = tries[-1]
            error = (last.end() or {}).get("error")
            errors.append({"pack": pack_id, "error": error, "folder": str(last.folder)})
    return SweepStatus(sweep.name, dict(counts), running, errors)
