"""Every part of a user's own is tried before anything is written; the first fault is one line.

Nothing is tried, and torch not imported, where a run names our parts alone: those are tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from orchestrator.errors import UserError
from orchestrator.parts import attention, measure, model, operator, optimizer, task
from orchestrator.parts.own import Part, load, said, user_parts

if TYPE_CHECKING:
    from orchestrator.config import RunConfig
    from orchestrator.launch.experiment import Experiment

CHECKS: dict[str, Callable[[RunConfig, Part], None]] = {
    "task": task.check,
    "operator": operator.check,
    "attention": attention.check,
    "model": model.check,
    "optimizer": optimizer.check,
}
"""What is tried of a part, by its kind (Part.kind); it raises UserError. Measures are tried together:
no two may share a column."""

_passed: set[str] = set()
"""Shapes whose parts have passed in this process."""
_traced: set[tuple[Part, ...]] = set()
"""Parts together of which a step was traced, as compiling it does."""


def check_parts(experiments: Iterable[Experiment]) -> None:
    """Try the user's parts of each shape among these, then a step of training and an evaluation.

    Raises: UserError, the line that names key, import path, what is wrong and what is expected.
    """
    for e in experiments:
        parts = tuple(user_parts(e.run))
        if not parts or e.run.shape_id in _passed:
            continue
        from orchestrator.parts.step import try_step

        for part in parts:
            if part.kind in CHECKS:
                _try(CHECKS[part.kind], e.run, part)
        trace = e.settings.execution.compile != "off" and parts not in _traced
        try_step(e.run, parts, trace)
        if e.run.measures:  # ours too: a user's model may not show what they look at
            measure.check(e.run)
        _passed.add(e.run.shape_id)
        _traced.update({parts} if trace else ())


def _try(check: Callable[[RunConfig, Part], None], run: RunConfig, part: Part) -> None:
    """A trial that stumbles over what a part gives, where no line of its own foresaw it, is its fault."""
    load(part)
    _require_defaults(part)
    try:
        check(run, part)
    except UserError:
        raise
    except Exception as e:
        raise part.fault(f"fails its trial ({said(e)})") from e


def _require_defaults(part: Part) -> None:
    """What a module sets for all of torch would change the bits of what trains beside it."""
    import torch

    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    part.require(
        dtype == torch.float32 and grad,
        f"its module sets {f'the default dtype to {dtype}' if grad else 'gradients off'} for all of "
        "torch: name it where it is needed",
    )
