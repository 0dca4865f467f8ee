"""What a user does about a submitted sweep: cancel its jobs, retry what failed, read a run's log."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError
from orchestrator.launch.replan import anew, as_frozen, failed
from orchestrator.launch.stop import cancel_mark, lives_here, stop
from orchestrator.launch.submit import submit
from orchestrator.records.attempts import Attempt, attempts
from orchestrator.records.jobs import job_arrays
from orchestrator.records.load import load_run
from orchestrator.records.manifests import Sweep, read_sweep
from orchestrator.records.packs import all_packs
from orchestrator.records.queue import cancel as cancel_jobs
from orchestrator.records.queue import queued
from orchestrator.records.store import Store, open_store

TAIL = 40
"""Lines of a log that are shown."""


def cancel(sweep: str) -> int:
    """Take a sweep's jobs out of the queue and end its workers here. Raises: UserError."""
    store = open_store()
    known = read_sweep(store, sweep)
    cancel_mark(store, sweep)  # also for an sbatch in flight, and for whoever waits
    names = [a.name for a in job_arrays(store, sweep)]
    tasks = queued(names) if names else {}
    try:
        cancel_jobs(sorted({t.name for t in tasks or ()}))
    except subprocess.SubprocessError as e:
        raise UserError(f"sweep {sweep}: scancel failed ({e})") from e
    workers = _local_workers(store, known, set(names))
    killed = stop(workers)
    here = f"{len(workers)} workers here stopped" + f", {killed} of them killed" * bool(killed)
    if tasks is None:
        raise UserError(f"sweep {sweep}: squeue does not answer; {here}, its jobs not cancelled")
    print(f"sweep {sweep}: {len(tasks)} jobs cancelled, {here}; what is finished stays, submit again "
          "to go on")  # fmt: skip
    return 0


def _local_workers(store: Store, sweep: Sweep, names: set[str]) -> list[Attempt]:
    """Attempts of processes here on a sweep's packs, but for those of its own Slurm jobs `names`."""
    out = []
    for pack_id in {m.pack_id for m in sweep.members.values()}:
        for attempt in attempts(store, pack_id)[-1:]:
            theirs = (attempt.claim.get("slurm") or {}).get("name") in names
            if attempt.end() is None and not theirs and lives_here(attempt.claim):
                out.append(attempt)
    return out


def retry(sweep: str, replan: bool = False) -> int:
    """Train a sweep's failed runs again as they were submitted last.

    `replan`: not in their frozen packs, but planned anew. Raises: UserError.
    """
    store = open_store()
    found = failed(store, sweep)
    if found.outdated:
        print(f"sweep {sweep}: {found.outdated} failed runs are of another version of the code and "
              "stay as they are; `--current` leaves them out of status and collect",
              file=sys.stderr)  # fmt: skip
    if found.closed:
        print(f"sweep {sweep}: {found.closed} runs are of packs that were closed; submit it again",
              file=sys.stderr)  # fmt: skip
    if not found.packs:
        print(f"sweep {sweep}: nothing failed" + " that this code can train" * bool(found.outdated))
        return 0
    count = sum(len(runs) for _, runs in found.packs)
    print(f"sweep {sweep}: {count} failed runs in {len(found.packs)} packs", file=sys.stderr)
    plan = anew(store, found) if replan else as_frozen(found)
    return 1 if submit(store, plan, found.overrides).left else 0


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
