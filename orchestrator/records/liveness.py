"""Is the owner of an attempt still at work? Answered without waiting on anyone.

Same place: by process id, start time and boot id, which no later process can have. A Slurm job
elsewhere: by squeue, then sacct. Else by the age of the heartbeat on the file server's own clock.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any

from orchestrator.records.queue import Task, ended, queued

HEARTBEAT_S = 10.0
"""Seconds between heartbeats of a living attempt."""
SILENT_S = 300.0
"""A heartbeat older than this, on another host, means dead."""
LEAVING_S = 60.0
"""The same for a Slurm job that is leaving the queue or has left it, while sacct knows no more."""


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


def alive(claim: dict[str, Any], heartbeat: Path) -> bool:
    """Whether the owner of a claim is at work. `heartbeat`: the file it touches."""
    same_boot = claim["boot_id"] and claim["boot_id"] == boot_id()
    if same_boot and claim.get("place", _place()) == _place():
        return process_start(claim["pid"]) == claim["process_start"]
    if claim.get("slurm"):
        answer = _alive_in_slurm(claim, heartbeat)
        if answer is not None:
            return answer
    return heartbeat_age(heartbeat) < SILENT_S


def _alive_in_slurm(claim: dict[str, Any], heartbeat: Path) -> bool | None:
    """By Slurm's word, which is asked for once for many; None where squeue does not answer."""
    about = claim["slurm"]
    task = Task(about["name"], about["job"], about["task"])
    queue = queued([task.name])
    if queue is None:
        return None
    found = queue.get(task)
    if found is not None:
        if found.state == "PENDING" or found.restart != about["restart"]:
            return False  # requeued since
        return found.state != "COMPLETING" or heartbeat_age(heartbeat) < LEAVING_S
    if ended(task, claim["time"]) is not None:
        return False
    return heartbeat_age(heartbeat) < LEAVING_S


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


def heartbeat_age(heartbeat: Path) -> float:
    """Seconds since `heartbeat` was last written, by the clock that stamps its folder's files."""
    probe = heartbeat.with_name(f".clock-{uuid.uuid4().hex}")
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        return now - heartbeat.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
