"""What became of a pack's unfinished runs, in one word."""

from __future__ import annotations

from orchestrator.records.attempts import Attempt
from orchestrator.records.jobs import Holder, passed

DONE = ("completed", "diverged")
UNDER_WAY = ("running", "queued")


def unfinished_state(tries: list[Attempt], holder: Holder | None = None) -> str:
    """running, queued, failed, stopped, dead, or waiting.

    `holder`: the queued or running Slurm task that has the pack on its list.
    """
    if any(a.living() for a in tries):
        return "running"
    if holder is not None and not passed(holder, tries):
        return "queued"
    if not tries:
        return "waiting"
    end = tries[-1].end()
    return end["status"] if end and end["status"] != "completed" else "dead"
