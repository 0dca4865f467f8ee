"""Job arrays that were handed to Slurm, each on record before it is handed over.

STORE/jobs/000001.json, numbered in their order, says which packs each of its tasks trains. Whoever submits next asks Slurm
for these names, so that a pack that waits in the queue is not queued again, even where the
submitting process died before it learned the number of its job.
"""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from orchestrator.records.attempts import Attempt
from orchestrator.records.queue import Queued, Task, queued
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, read_json, write_numbered


@dataclass(frozen=True)
class JobArray:
    """One call of sbatch."""

    name: str
    """The job name, which no other array has."""
    sweep: str
    tasks: list[list[str]]
    """Pack ids of each array task, in the order in which it trains them."""
    logs: str
    """Folder of its script and logs."""
    time: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Holder:
    """A queued or running task that is going to train a pack."""

    array: JobArray
    task: Task
    queued: Queued


def record(store: Store, array: JobArray) -> None:
    """Write down an array that is about to be submitted."""
    _folder(store).mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(p.stem) for p in _paths(store) if p.stem.isdigit()), default=0)
    write_numbered(_folder(store), seal(asdict(array)), number)


def job_arrays(store: Store, sweep: str | None = None) -> list[JobArray]:
    """All arrays on record, of one sweep or of any, the latest last."""
    keys, found = [f.name for f in fields(JobArray)], []
    for path in _paths(store):
        data = read_json(path, keys)
        if data is not None and sweep in (None, data["sweep"]):
            array = JobArray(**{k: data[k] for k in keys})
            # earlier versions named the file by the array, and had nothing but its time
            found.append(((int(path.stem), 0.0) if path.stem.isdigit() else (0, array.time), array))
    return [array for _, array in sorted(found, key=lambda pair: pair[0])]


def new_array(sweep: str, unique: str, tasks: list[list[str]], logs: Path) -> JobArray:
    """An array with a name of its own, in letters that squeue's columns count as one each."""
    word = re.sub(r"[^A-Za-z0-9_.-]", "_", sweep)[:80]
    return JobArray(f"{word}-{unique}", sweep, tasks, str(logs), time.time())


def holders(
    store: Store, arrays: list[JobArray] | None = None, ending: bool = False
) -> dict[str, Holder] | None:
    """The queued or running task that has each pack on its list; None where squeue is silent.

    `ending`: count tasks that are leaving, too; a requeued one does so before it waits again; and
    tasks that Slurm holds back for good.
    """
    arrays = job_arrays(store) if arrays is None else arrays
    if not arrays:
        return {}
    queue = queued(a.name for a in arrays)
    if queue is None:
        return None
    by_name = {a.name: a for a in arrays}
    out = {}
    for task, state in queue.items():
        array = by_name.get(task.name)
        if array is None or (task.task or 0) >= len(array.tasks):
            continue
        if (state.state == "COMPLETING" or held_back(state)) and not ending:
            continue
        for pack_id in array.tasks[task.task or 0]:
            out[pack_id] = Holder(array, task, state)
    return out


def held_back(state: Queued) -> bool:
    """Whether Slurm holds a task back for good because its launch failed: it waits for nobody."""
    return state.state == "PENDING" and "launch failed" in state.reason.lower().replace("_", " ")


def abandoned(store: Store) -> list[Task]:
    """Tasks of the store's arrays that Slurm holds back for good."""
    queue = queued(a.name for a in job_arrays(store)) or {}
    return [task for task, state in queue.items() if held_back(state)]


def passed(holder: Holder, tries: list[Attempt]) -> bool:
    """Whether a running task has tried a pack already and will not come back to it."""
    if holder.queued.state == "PENDING":
        return False
    return any(mine(holder, attempt) for attempt in tries)


def mine(holder: Holder, attempt: Attempt) -> bool:
    """Whether an attempt is this start's of the task."""
    s = attempt.claim.get("slurm")
    task = (holder.task.name, holder.task.job, holder.task.task, holder.queued.restart)
    return bool(s) and (s["name"], s["job"], s["task"], s["restart"]) == task


def _folder(store: Store) -> Path:
    return store.root / "jobs"


def _paths(store: Store) -> list[Path]:
    return sorted(_folder(store).glob("*.json"))
