"""What a user does about a submitted sweep: cancel its jobs, retry what failed, read a run's log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError
from orchestrator.launch.plan import Plan, Planned
from orchestrator.launch.state import unfinished_state
from orchestrator.launch.submit import submit
from orchestrator.parts.changes import require_unedited
from orchestrator.parts.own import stand_in
from orchestrator.records.attempts import attempts, results
from orchestrator.records.jobs import holders, job_arrays, passed
from orchestrator.records.liveness import boot_id, process_start
from orchestrator.records.load import load_run
from orchestrator.records.manifests import Sweep, read_manifests, read_sweep
from orchestrator.records.packs import all_packs, read_pack
from orchestrator.records.queue import cancel as cancel_jobs
from orchestrator.records.queue import queued
from orchestrator.records.store import Store, open_store
from orchestrator.settings import settings

TAIL = 40
"""Lines of a log that are shown."""


def cancel(sweep: str) -> int:
    """Take a sweep's jobs out of the queue and stop its workers here. Raises: UserError."""
    store = open_store()
    known = read_sweep(store, sweep)
    names = [a.name for a in job_arrays(store, sweep)]
    tasks = queued(names) if names else {}
    if tasks is None:
        raise UserError(f"sweep {sweep}: squeue does not answer, nothing was cancelled")
    try:
        cancel_jobs(sorted({t.name for t in tasks}))
    except subprocess.SubprocessError as e:
        raise UserError(f"sweep {sweep}: scancel failed ({e})") from e
    pids = _local_workers(store, known)
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    print(f"sweep {sweep}: {len(tasks)} jobs cancelled, {len(pids)} workers here told to stop; "
          "what is finished stays, submit again to go on")  # fmt: skip
    return 0


def _local_workers(store: Store, sweep: Sweep) -> list[int]:
    """Processes of this machine, outside Slurm, that are at work on a sweep's packs."""
    out = set()
    for pack_id in {m.pack_id for m in sweep.members.values()}:
        for attempt in attempts(store, pack_id)[-1:]:
            c = attempt.claim
            here = c["boot_id"] == boot_id() and not c.get("slurm")
            if here and attempt.end() is None and process_start(c["pid"]) == c["process_start"]:
                out.add(c["pid"])
    return sorted(out)


def retry(sweep: str) -> int:
    """Train a sweep's failed runs again as they were submitted last. Raises: UserError."""
    store = open_store()
    known = read_sweep(store, sweep)
    last = read_manifests(store, sweep)[-1]
    if "settings" not in last:
        raise UserError(f"sweep {sweep}: submitted by an older version; submit it again instead")
    held = holders(store) or {}
    launch, planned = [], []
    for pack_id in dict.fromkeys(m.pack_id for m in known.members.values()):
        tries = attempts(store, pack_id)
        if not tries or (tries[-1].end() or {}).get("status") != "failed":
            continue
        holder = held.get(pack_id)
        if holder is not None and not passed(holder, tries):
            continue
        pack = read_pack(store, pack_id)
        done = results(tries)
        state = unfinished_state(tries, holder)
        mine = [r for r in pack.runs if r.run_id in known.members and r.run_id not in done]
        planned += [Planned(run, state) for run in mine]
        launch.append(pack)
    if not launch:
        print(f"sweep {sweep}: nothing failed")
        return 0
    then = settings(last["settings"])
    stand_in(then.execution.parts)
    for pack in launch:
        require_unedited(f"sweep {sweep}, pack {pack.pack_id}", pack)
    pack_of = {p.run.run_id: known.members[p.run.run_id].pack_id for p in planned}
    print(f"sweep {sweep}: {len(planned)} failed runs in {len(launch)} packs", file=sys.stderr)
    plan = Plan(sweep, then, planned, launch, pack_of, 0)
    return 1 if submit(store, plan, last["overrides"]).failed_jobs else 0


def logs(run_id: str) -> int:
    """Print the end of the log of a run's last attempt, and where it lies. Raises: UserError."""
    store = open_store()
    run = load_run(run_id).run.run_id
    tries: list[Any] = []
    for pack in all_packs(store):
        if run in pack.run_ids:
            tries += attempts(store, pack.pack_id)
    if not tries:
        raise UserError(f"run {run}: no job has begun it yet (see `orchestrator status`)")
    last = max(tries, key=lambda a: a.claim["time"])
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last.claim["time"]))
    log = last.claim.get("log")
    print(f"run {run}: attempt {last.number} on {last.claim['host']}, begun {began}; "
          f"records {last.folder}", file=sys.stderr)  # fmt: skip
    end = last.end()
    if end is not None and end.get("error"):
        print(f"{end['status']}: {end['error']}", file=sys.stderr)
    if log is None or not Path(log).is_file():
        raise UserError(f"run {run}: its process wrote no log file ({log or 'not on record'})")
    print(log)
    lines = Path(log).read_text(errors="replace").splitlines()
    print("\n".join(lines[-TAIL:]))
    return 0
