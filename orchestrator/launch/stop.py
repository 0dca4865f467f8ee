"""Ending what is at work: asked first, killed where it does not listen, and on record."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

from orchestrator.durations import duration
from orchestrator.records.attempts import Attempt, end
from orchestrator.records.liveness import alive, boot_id, process_start, still_s
from orchestrator.records.queue import Task, cancel_task
from orchestrator.records.store import Store, append_lines, read_lines

HUNG = "killed"
"""How an attempt ended whose owner stood still, and was killed for it."""
GRACE_S = 60.0
"""Seconds that a process has to checkpoint once it is told to stop."""


def cancel_mark(store: Store, sweep: str) -> None:
    """Put on record that a sweep is cancelled: who waits for it, or is about to queue it, stops."""
    append_lines(store.sweeps / sweep / "cancelled.jsonl", [{"time": time.time()}])


def cancels(store: Store, sweep: str) -> int:
    """How often a sweep was cancelled."""
    return len(read_lines(store.sweeps / sweep / "cancelled.jsonl"))


def lives_here(claim: dict[str, Any]) -> bool:
    """Whether the claim's owner is a process of this machine that we may tell by its number."""
    mine = claim["boot_id"] == boot_id() and _namespace(claim) == os.readlink("/proc/self/ns/pid")
    start = process_start(claim["pid"]) if mine else None
    return start is not None and start == claim["process_start"] and _ours(claim["pid"])


def stop(owned: list[Attempt]) -> int:
    """SIGTERM, and SIGKILL to those that are there still after GRACE_S; how many were killed."""
    for attempt in owned:
        _tell(attempt, signal.SIGTERM)
    limit = time.monotonic() + GRACE_S
    while time.monotonic() < limit and any(lives_here(a.claim) for a in owned):
        time.sleep(0.1)
    killed = [a for a in owned if lives_here(a.claim)]
    for attempt in killed:
        _kill(attempt)
        if attempt.end() is None:
            end(attempt, "stopped", "killed: it did not stop when it was told to")
    return len(killed)


def hung(attempt: Attempt) -> bool:
    """Whether an attempt's owner is there, and not at work."""
    there = attempt.end() is None and alive(attempt.claim, attempt.progress)
    return there and not attempt.living()


def stop_hung(attempt: Attempt) -> None:
    """Kill an attempt's owner that stands still, where it can be reached from here.

    Its end is put on record in its place.
    """
    if not hung(attempt):
        return
    why = f"it did no step for {duration(still_s(attempt.progress))}"
    slurm = attempt.claim.get("slurm")
    if lives_here(attempt.claim):
        _kill(attempt)
    elif slurm:
        cancel_task(Task(slurm["name"], slurm["job"], slurm["task"]))
    else:
        return
    if attempt.end() is None:
        end(attempt, HUNG, why)


def _kill(attempt: Attempt) -> None:
    """SIGKILL; returns when the process is gone."""
    _tell(attempt, signal.SIGKILL)
    while lives_here(attempt.claim):
        time.sleep(0.05)


def _tell(attempt: Attempt, number: int) -> None:
    with suppress(ProcessLookupError):
        if lives_here(attempt.claim):
            os.kill(attempt.claim["pid"], number)


def _ours(pid: int) -> bool:
    """Whether a process is not another user's."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        pass  # gone a moment ago
    return True


def _namespace(claim: dict[str, Any]) -> str:
    return str(claim.get("place", "")).partition(" ")[0]
