"""What became of a pack's unfinished runs, in one word."""

from __future__ import annotations

from orchestrator.records.attempts import Attempt
from orchestrator.records.jobs import Holder, held_back, passed

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


def under_way(tries: list[Attempt], holder: Holder | None) -> bool:
    """Whether somebody is at work on a pack, or is going to be; asked by whoever waits for it.

    `holder`: as `holders(ending=True)` has it.
    """
    if holder is not None and held_back(holder.queued):
        holder = None
    if holder is not None and holder.queued.state == "COMPLETING":
        return True  # Slurm may be about to start it again
    return unfinished_state(tries, holder) in UNDER_WAY
