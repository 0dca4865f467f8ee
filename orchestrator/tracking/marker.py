"""Says which process sends an attempt's rows, so that no two do at once."""

from __future__ import annotations

from pathlib import Path

from orchestrator.records.attempts import Attempt
from orchestrator.records.liveness import alive, owner
from orchestrator.records.sealed import seal
from orchestrator.records.store import read_json, write_atomic


def _marker(attempt: Attempt) -> Path:
    return attempt.folder / "tracking.json"


def mark(attempt: Attempt, url: str) -> None:
    """This process sends the attempt, to the server at `url`."""
    write_atomic(_marker(attempt), seal({**owner(), "url": url}))


def sending(attempt: Attempt) -> bool:
    """Whether a process is at work sending this attempt."""
    who = read_json(_marker(attempt), needs=("host", "pid"))
    return who is not None and alive(who, attempt.progress)
