"""What became of a pack's unfinished runs, in one word."""

from __future__ import annotations

from orchestrator.records.attempts import Attempt
from orchestrator.records.jobs import Holder, held_back, mine, passed

DONE = ("completed", "diverged")
UNDER_WAY = ("running", "queued")


def unfinished_state(tries: list[Attempt], holder: Holder | None = None) -> str:
    """running, queued, failed, stopped, hung, dead, or waiting.

    `holder`: the queued or running Slurm task that has the pack on its list.
    """
    conditions = [a.condition() for a in tries]
    if "running" in conditions:
        return "running"
    if holder is not None and not passed(holder, tries):
        return "queued"
    if not tries:
        return "waiting"
    if conditions[-1] == "hung":
        return "hung"
    end = tries[-1].end() or {}
    return end["status"] if end.get("status") in ("failed", "stopped") else "dead"


def free_of_hung(held: dict[str, Holder], tries_of: dict[str, list[Attempt]]) -> dict[str, Holder]:
    """Holders without the tasks that stand still in a pack: they come to none of their others."""
    last = {pack_id: tries[-1] for pack_id, tries in tries_of.items() if tries and pack_id in held}
    stuck = {
        held[pack_id].task for pack_id, attempt in last.items()
        if mine(held[pack_id], attempt) and attempt.condition() == "hung"
    }  # fmt: skip
    return {pack_id: holder for pack_id, holder in held.items() if holder.task not in stuck}


def under_way(tries: list[Attempt], holder: Holder | None) -> bool:
    """Whether somebody is at work on a pack, or is going to be; asked by whoever waits for it.

    `holder`: as `holders(ending=True)` has it.
    """
    if holder is not None and held_back(holder.queued):
        holder = None
    if holder is not None and holder.queued.state == "COMPLETING":
        return True  # Slurm may be about to start it again
    return unfinished_state(tries, holder) in UNDER_WAY
