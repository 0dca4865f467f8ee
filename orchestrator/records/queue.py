"""What Slurm says of jobs: one question for all of them, a time limit on the answer, and None
where there is no answer. It is a hint: whether a run is finished stands in the records alone.

Jobs are asked for by name. Ours have names that no other submission has, whereas Slurm gives a
job's number out again after a controller lost its state.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.records.slurm_environment import environment

ANSWER_S = 15.0
"""Seconds that squeue or sacct may take."""
FRESH_S = 2.0
"""Seconds for which an answer is used again."""
_FIELDS = (
    ("Name", 128), ("ArrayJobID", 16), ("ArrayTaskID", 16), ("State", 16), ("RestartCnt", 8),
    ("NodeList", 64), ("TimeLeft", 20), ("Reason", 80),
)  # fmt: skip
_BATCH = 200
_said: dict[tuple[str, str], tuple[float, dict[Task, Queued] | None]] = {}


@dataclass(frozen=True)
class Task:
    """One array task, or one job without an array (task None)."""

    name: str
    job: int
    task: int | None


@dataclass(frozen=True)
class Queued:
    """A task that is in the queue."""

    state: str
    """PENDING, RUNNING, COMPLETING, ..."""
    restart: int
    """How often it was requeued."""
    node: str
    time_left: str
    reason: str
    """Why it waits, in Slurm's words."""


def queued(names: Iterable[str]) -> dict[Task, Queued] | None:
    """Tasks in the queue that have one of these job names; None where squeue does not answer."""
    out: dict[Task, Queued] = {}
    missing = []
    now = time.monotonic()
    for name in sorted(set(names)):
        when, answer = _said.get(("squeue", name), (-FRESH_S, {}))
        if now - when >= FRESH_S:
            missing.append(name)
        elif answer is None:
            return None
        else:
            out |= answer
    for i in range(0, len(missing), _BATCH):
        batch = missing[i : i + _BATCH]
        columns = ",".join(f"{name}:{width}" for name, width in _FIELDS)
        text = _run(["squeue", "-h", "-r", f"--name={','.join(batch)}", "-O", columns])
        found = None if text is None else _parse(text)
        when = time.monotonic()
        for name in batch:
            mine = found and {t: q for t, q in found.items() if t.name == name}
            _said["squeue", name] = (when, None if found is None else mine or {})
        if found is None:
            return None
        out |= found
    return out


def ended(task: Task, since: float) -> str | None:
    """How a task ended by sacct's word (FAILED, TIMEOUT, ...); None where it does not know.

    `since`: seconds since the epoch, not later than its submission.
    """
    out = accounted([task.name], since)
    return None if out is None else out.get(task)


def accounted(names: Iterable[str], since: float) -> dict[Task, str] | None:
    """Ended tasks of these job names and how they ended; None where sacct does not answer."""
    start = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(since - 3600))
    words = ["sacct", "-n", "-P", "-X", f"--name={','.join(sorted(set(names)))}", "-S", start,
             "-o", "JobID,State,JobName"]  # fmt: skip
    text = _run(words)
    if text is None:
        return None
    out = {}
    for line in text.splitlines():
        job, state, name = line.split("|", 2)
        number, _, index = job.partition("_")
        state = state.split()[0]
        if index.startswith("[") or state in ("PENDING", "RUNNING", "REQUEUED", "SUSPENDED"):
            continue
        out[Task(name, int(number), int(index) if index else None)] = state
    return out


def cancel(names: Iterable[str]) -> None:
    """scancel of all jobs of these names. Raises: subprocess.SubprocessError."""
    for name in names:
        subprocess.run(["scancel", f"--name={name}"], check=True, capture_output=True, text=True,
                       timeout=ANSWER_S, env=environment())  # fmt: skip
    forget()


def cancel_task(task: Task) -> None:
    """scancel of one task, if it is still there."""
    number = str(task.job) if task.task is None else f"{task.job}_{task.task}"
    _run(["scancel", f"--name={task.name}", number])
    forget()


def forget() -> None:
    """Ask afresh next time."""
    _said.clear()


def _parse(text: str) -> dict[Task, Queued]:
    out = {}
    for line in text.splitlines():
        cells, at = [], 0
        for _, width in _FIELDS:
            cells.append(line[at : at + width].strip())
            at += width
        name, job, task, state, restart, node, left, reason = cells
        key = Task(name, int(job), int(task) if task.isdigit() else None)
        out[key] = Queued(state, int(restart), node, left, reason)
    return out


def _run(words: list[str]) -> str | None:
    """Standard output of a Slurm command, or None: absent, refused, or too slow."""
    if shutil.which(words[0]) is None:
        return None
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=ANSWER_S, check=False, env=environment()
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None
