"""The step and the evaluation of a run as a slice calls them, and tensors without values for them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.models.module import taps_of
from orchestrator.training.step import Core, over_runs

Called = tuple[Callable, tuple[Tensor, ...]]
"""A function and its arguments."""


def functions(run: RunConfig, width: int) -> dict[str, Called]:
    """{step, evaluate} over `width` runs that see two seeds' batches, with fake arguments.

    No memory is taken but a module's, whatever the shape.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    core = Core(run, torch.device("cpu"))
    with FakeTensorMode(allow_non_fake_inputs=True):
        count = sum(s.numel() for s in core.sizes.values())
        params = torch.zeros(width, count, dtype=core.dtype)
        state = torch.vmap(lambda params_P: core.optim.init(params_P, core.sizes))(params)
        one, each = torch.ones((), dtype=core.dtype), torch.ones(width, dtype=core.dtype)
        taps = torch.zeros(width, *taps_of(run).shape, dtype=core.dtype)
        batch, length = run.budget.batch, run.task.length
        scored = len(range(length)[run.task.scored])
        tokens = torch.zeros(min(2, width), batch, length, dtype=torch.int64)
        targets = torch.zeros(min(2, width), batch, scored, dtype=torch.int64)
        seen = torch.zeros(width, dtype=torch.int64)
    step, evaluate = over_runs(core)
    args = (
        params, taps, each, seen, *(each for _ in core.rates), *(state[n] for n in core.state),
        tokens, targets, one, one,
    )  # fmt: skip
    return {
        "step": (cast(step, run), args),
        "evaluate": (cast(evaluate, run), (params, taps, tokens[0], targets[0])),
    }


def cast(function: Callable, run: RunConfig) -> Callable:
    """The function under the autocast that a training has (Fabric's precision)."""
    if run.precision != "bf16-mixed":
        return function

    def autocast(*args: Tensor):
        with torch.autocast("cpu", torch.bfloat16):
            return function(*args)

    return autocast
