"""Is the owner of an attempt still at work? Answered without waiting on anyone.

Same host: by process id, start time and boot id, which no later process can have. Elsewhere: by
the age of the heartbeat on the file server's own clock.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any

HEARTBEAT_S = 10.0
"""Seconds between heartbeats of a living attempt."""
SILENT_S = 300.0
"""A heartbeat older than this, on another host, means dead."""


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
    """Who this process is, for a claim."""
    return {
        "host": socket.gethostname(),
        "boot_id": boot_id(),
        "pid": os.getpid(),
        "process_start": process_start(os.getpid()),
        "time": time.time(),
    }


def alive(claim: dict[str, Any], heartbeat: Path) -> bool:
    """Whether the owner of a claim is at work. `heartbeat`: the file it touches."""
    if claim["boot_id"] and claim["boot_id"] == boot_id():
        return process_start(claim["pid"]) == claim["process_start"]
    return heartbeat_age(heartbeat) < SILENT_S


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
