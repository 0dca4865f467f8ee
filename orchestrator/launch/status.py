"""What has become of a sweep, from its records and, where they are silent, from Slurm's queue."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.durations import duration
from orchestrator.launch.job import log_name
from orchestrator.launch.state import unfinished_state
from orchestrator.records.attempts import Attempt, attempts, results
from orchestrator.records.jobs import Holder, JobArray, held_back, holders, job_arrays
from orchestrator.records.liveness import still_s
from orchestrator.records.manifests import Sweep
from orchestrator.records.packs import Pack, PackLost, read_pack, require_pack
from orchestrator.records.queue import accounted
from orchestrator.records.store import Store, read_json

GONE = ("hung", "dead", "stopped", "waiting")


@dataclass(frozen=True)
class SweepStatus:
    """Counts over the runs of a sweep, and what is known of those that are not finished."""

    sweep: str
    counts: dict[str, int]
    """completed, diverged, running, queued, waiting, failed, stopped, hung, dead."""
    running: list[dict[str, Any]]
    """One entry a pack under way: pack, runs, first, step, steps, host; left_s: seconds until it is
    trained, by its pace; in Slurm job and time_left, until its time limit."""
    errors: list[dict[str, Any]]
    """One entry a failed pack: pack, error, folder, log."""
    queued: list[dict[str, Any]] = field(default_factory=list)
    """One entry a reason: why Slurm lets runs wait, and how many."""
    dead: list[dict[str, Any]] = field(default_factory=list)
    """One entry a pack that hangs, was killed, whose job ended before it began, or whose record is lost:
    pack, why, log."""
    silent: bool = False
    """squeue did not answer although jobs were submitted: what waits in the queue is not known."""


def sweep_status(store: Store, sweep: Sweep) -> SweepStatus:
    """Read the state of every pack of a sweep."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    running, errors, lost, unread = [], [], [], []
    arrays = job_arrays(store)
    held = holders(store, arrays, ending=True)
    by_pack: dict[str, list[str]] = {}
    for member in sweep.members.values():
        by_pack.setdefault(member.pack_id, []).append(member.run_id)
    for pack_id, run_ids in by_pack.items():
        try:
            require_pack(store, pack_id)
        except PackLost as e:  # nor can its results be collected: nothing says whose they are
            counts["dead"] += len(run_ids)
            unread.append({"pack": pack_id, "state": "dead", "why": str(e), "log": None})
            continue
        tries = attempts(store, pack_id)
        found = results(tries)
        open_runs = [r for r in run_ids if r not in found]
        counts.update(found[r]["status"] for r in run_ids if r in found)
        if not open_runs:
            continue
        holder = (held or {}).get(pack_id)
        state = unfinished_state(tries, holder)
        if holder is not None and held_back(holder.queued):
            state = "dead"
        elif holder is not None and holder.queued.state == "COMPLETING" and state in GONE:
            state = "queued"
        counts[state] += len(open_runs)
        if state == "running":
            running.append(_running(read_pack(store, pack_id), tries[-1], holder))
        elif state == "queued":
            reasons[_reason(holder)] += len(open_runs)
        elif state == "failed":
            errors.append({"pack": pack_id, **_failure(tries[-1])})
        elif held is not None or state == "hung":
            lost.append((pack_id, state, tries))
    return SweepStatus(
        sweep.name, dict(counts), running, errors,
        [{"reason": r, "runs": n} for r, n in reasons.most_common()],
        [*unread, *_dead(lost, arrays)], held is None,
    )  # fmt: skip


def _running(pack: Pack, last: Attempt, holder: Holder | None) -> dict[str, Any]:
    slurm = last.claim.get("slurm") or {}
    steps = pack.data["base"]["budget"]["steps"]
    out = {"pack": pack.pack_id, "host": slurm.get("node") or last.claim["host"], "steps": steps}
    if slurm:
        out["job"] = _job(slurm["job"], slurm["task"])
    if holder is not None:
        out["time_left"] = holder.queued.time_left
    return {**out, **(read_json(last.progress) or {})}


def _reason(holder: Holder) -> str:
    """Why a queued pack does not train yet, in Slurm's words where they are Slurm's."""
    if holder.queued.state == "COMPLETING":
        return "its job is ending"
    if holder.queued.state == "RUNNING":
        return "its job trains another pack"
    again = f", requeued {holder.queued.restart} times" if holder.queued.restart else ""
    return f"{holder.queued.reason or holder.queued.state}{again}"


def _failure(last: Attempt) -> dict[str, Any]:
    end = last.end() or {}
    return {"error": end.get("error"), "folder": str(last.folder), "log": last.claim.get("log")}


def _dead(
    lost: list[tuple[str, str, list[Attempt]]], arrays: list[JobArray]
) -> list[dict[str, Any]]:
    """Why packs are neither finished nor queued, by sacct's word where it has one."""
    by_pack = {p: (a, i) for a in arrays for i, packs in enumerate(a.tasks) for p in packs}
    asked = {by_pack[p][0].name: by_pack[p][0].time for p, _, _ in lost if p in by_pack}
    ends = accounted(asked, min(asked.values())) if asked else {}
    by_task = {(t.name, t.task or 0): (t, state) for t, state in (ends or {}).items()}
    out = []
    for pack_id, state, tries in lost:
        array, index = by_pack.get(pack_id, (None, 0))
        task, how = by_task.get((array.name, index), (None, None)) if array else (None, None)
        if array is None and not tries:
            continue  # planned, and handed to nobody yet
        why = f"its job ended {how}" if how else "its process is gone"
        if state == "hung":
            why = _stands_still(tries[-1])
        elif tries and (said := tries[-1].end()) is not None and said.get("error"):
            why = said["error"]
        if not tries:
            why = f"its job ended {how} before it came to it" if how else "its job is gone"
        log = tries[-1].claim.get("log") if tries else None
        if log is None and array is not None:
            name = _job(task.job, task.task) if task else "*"
            log = str(Path(array.logs) / log_name(name))
        out.append({"pack": pack_id, "state": state, "why": why, "log": log})
    return out


def _stands_still(last: Attempt) -> str:
    """How long an attempt has done no step, and what to do about it."""
    place = (last.claim.get("slurm") or {}).get("node") or last.claim["host"]
    return (
        f"it hangs: no step for {duration(still_s(last.progress))} on {place}; the next submit ends "
        "and replaces it"
    )


def _job(job: int, task: int | None) -> str:
    return str(job) if task is None else f"{job}_{task}"


def settled(states: list[SweepStatus]) -> bool:
    """Whether nothing of these sweeps is at work or queued."""
    return not any(s.counts.get("running") or s.counts.get("queued") for s in states)
