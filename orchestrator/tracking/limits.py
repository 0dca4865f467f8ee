"""How many W&B runs a sweep may become before its pages stop being usable."""

from __future__ import annotations

from orchestrator.errors import UserError

MOST_RUNS = 500
"""W&B runs of one sweep with tracking.granularity=run."""


def require_few(granularity: str, runs: int) -> None:
    """Raises: UserError where one W&B run for each of our runs would be too many."""
    if granularity == "run" and runs > MOST_RUNS:
        raise UserError(
            f"tracking.granularity=run: {runs} runs are more than {MOST_RUNS}; "
            "tracking.granularity=pack sends one W&B run a pack"
        )
