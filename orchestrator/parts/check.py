"""Every part of a user's own is tried before anything is written; the first fault is one line.

Nothing is tried, and torch not imported, where a run names our parts alone: those are tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from orchestrator.parts import attention, operator, optimizer, task
from orchestrator.parts.own import Part, user_parts

if TYPE_CHECKING:
    from orchestrator.config import RunConfig

CHECKS: dict[str, Callable[[RunConfig, Part], None]] = {
    "task": task.check,
    "operator": operator.check,
    "attention": attention.check,
    "optimizer": optimizer.check,
}
"""What is tried of a part, by its kind (Part.kind); it raises UserError."""

_passed: set[str] = set()
"""Shapes whose parts have passed in this process."""


def check_parts(runs: Iterable[RunConfig]) -> None:
    """Try the user's parts of each shape among these runs, then a step of training.

    Raises: UserError, the line that names key, import path, what is wrong and what is expected.
    """
    for run in runs:
        parts = user_parts(run)
        if not parts or run.shape_id in _passed:
            continue
        for part in parts:
            CHECKS[part.kind](run, part)
        _passed.add(run.shape_id)
