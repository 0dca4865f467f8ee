"""Is the owner of an attempt still at work? Answered without waiting on anyone.

What can be known comes first: on this boot of this machine a process by its id and start time,
which no later one can have; an earlier boot of this machine, or an earlier start of the Slurm task
that asks, is dead. Else a Slurm job is asked for: squeue, then sacct; else the age of its heartbeat
on the file server's own clock counts. A mistake costs time, never a result (commits.py).
"""

from __future__ import annotations

import os
import socket
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from orchestrator.records.clock import age_s
from orchestrator.records.queue import Task, ended, queued
from orchestrator.records.store import read_json

Condition = Literal["running", "hung", "dead"]

HEARTBEAT_S = 10.0
"""Seconds between heartbeats of a living attempt."""
SILENT_S = 300.0
"""A heartbeat older than this, on another host, means dead."""
LEAVING_S = 60.0
"""The same for a Slurm job that is leaving the queue or has left it, while sacct knows no more, and
for a container beside this one: no network can come between."""


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Identifies this boot of this machine."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def process_start(pid: int) -> str | None:
    """Start time of a living process, in clock ticks since boot; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def owner() -> dict[str, Any]:
    """Who this process is, for a claim; in a Slurm job also its name, number and restart count."""
    return {
        "host": socket.gethostname(),
        "boot_id": boot_id(),
        "place": _place(),
        "pid": os.getpid(),
        "process_start": process_start(os.getpid()),
        "time": time.time(),
        "slurm": _slurm(),
    }


def condition(claim: dict[str, Any], heartbeat: Path) -> Condition:
    """What has become of the owner of a claim, who has not said that it ended.

    hung: it is there, and has not done a step for the `stall_s` seconds of its claim.
    """
    if not alive(claim, heartbeat):
        return "dead"
    limit = claim.get("stall_s")
    if limit is None or still_s(heartbeat) <= limit or _suspended(claim):
        return "running"
    return "hung"


def still_s(heartbeat: Path) -> float:
    """Seconds since the last step: what the heartbeat says of it, and its own age."""
    said = (read_json(heartbeat) or {}).get("still_s", 0.0)
    return age_s(heartbeat) + (said if isinstance(said, (int, float)) else 0.0)


def alive(claim: dict[str, Any], heartbeat: Path) -> bool:
    """Whether the owner of a claim is there. `heartbeat`: the file it touches."""
    if not claim["host"]:
        return False  # the claim is lost
    if claim["boot_id"] and claim["boot_id"] == boot_id():
        if claim.get("place", _place()) == _place():
            start = process_start(claim["pid"])
            return start is not None and start == claim["process_start"]
        limit = LEAVING_S
    elif claim["boot_id"] and claim["host"] == socket.gethostname():
        return False  # this machine has been started anew since
    else:
        limit = SILENT_S
    if claim.get("slurm"):
        if _earlier_start(claim["slurm"]):
            return False
        answer = _alive_in_slurm(claim, heartbeat)
        if answer is not None:
            return answer
        limit = SILENT_S  # a stand-in for many nodes on one machine is one boot, too
    return age_s(heartbeat) < limit


def _earlier_start(about: dict[str, Any]) -> bool:
    """Whether a claim is an earlier start's of the Slurm task that this process is."""
    mine = _slurm()
    return mine is not None and (
        (about["name"], about["job"], about["task"]) == (mine["name"], mine["job"], mine["task"])
        and about["restart"] < mine["restart"]
    )


def _alive_in_slurm(claim: dict[str, Any], heartbeat: Path) -> bool | None:
    """By Slurm's word, which is asked for once for many; None where squeue does not answer."""
    task = _task(claim["slurm"])
    queue = queued([task.name])
    if queue is None:
        return None
    found = queue.get(task)
    if found is not None:
        if found.state == "PENDING" or found.restart != claim["slurm"]["restart"]:
            return False  # requeued since
        return found.state != "COMPLETING" or age_s(heartbeat) < LEAVING_S
    if ended(task, claim["time"]) is not None:
        return False
    return age_s(heartbeat) < LEAVING_S


def _suspended(claim: dict[str, Any]) -> bool:
    """Whether Slurm has stopped a job for a while: it will go on by itself."""
    if not claim.get("slurm"):
        return False
    task = _task(claim["slurm"])
    found = (queued([task.name]) or {}).get(task)
    return found is not None and found.state == "SUSPENDED"


def _task(about: dict[str, Any]) -> Task:
    return Task(about["name"], about["job"], about["task"])


def _place() -> str:
    """Where a process id means something: the process namespace, and the node as Slurm calls it."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""  # not Linux
    return f"{namespace} {os.environ.get('SLURMD_NODENAME', '')}".strip()


def _slurm() -> dict[str, Any] | None:
    """The Slurm job that this process belongs to."""
    env = os.environ
    if "SLURM_JOB_ID" not in env:
        return None
    task = env.get("SLURM_ARRAY_TASK_ID")
    return {
        "name": env.get("SLURM_JOB_NAME", ""),
        "job": int(env.get("SLURM_ARRAY_JOB_ID", env["SLURM_JOB_ID"])),
        "task": None if task is None else int(task),
        "restart": int(env.get("SLURM_RESTART_COUNT", 0)),
        "node": env.get("SLURMD_NODENAME", ""),
    }
