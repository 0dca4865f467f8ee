"""The trial of all parts together: one evaluation and one optimiser step of two runs under vmap."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.parts.own import Part, guarded
from orchestrator.training.data import training_batches
from orchestrator.training.slices import Slots, start, stepwise
from orchestrator.training.step import Core, over_runs

SEQUENCES = 8
"""Most sequences a step of the trial."""


def try_step(run: RunConfig, parts: tuple[Part, ...], trace: bool) -> None:
    """Train two runs of a shape for one step; `trace`: as it is compiled, too.

    Raises: UserError that names the first of the parts, where loss or gradient are not finite, no
    gradient comes back, or vmap or the tracing of it can't take what they do.
    """
    part, device = parts[0], torch.device("cpu")
    few = dataclasses.replace(run.budget, batch=min(run.budget.batch, SEQUENCES))
    run = dataclasses.replace(run, budget=few)
    two = [dataclasses.replace(run, seed=i, seed_init=i, seed_data=i) for i in (0, 1)]
    with guarded(part, "the step can't be built"):
        core = Core(run, device)
        step, evaluate = over_runs(core)
        state, tensors = start(core, two, Slots(0, 0, 2, 2))
        tokens, targets = training_batches(run, torch.arange(2), torch.ones(1, dtype=torch.int64))
    one = torch.ones(1, dtype=core.dtype)
    seen = torch.arange(2)
    with _autocast(run):
        with guarded(part, "an evaluation under vmap over runs fails"):
            loss, _ = evaluate(state.params, tensors.taps, tokens[0, 0], targets[0, 0])
        part.require(bool(loss.isfinite().all()), "the loss of an evaluation is not finite")
        if trace:
            with guarded(part, "tracing a step to compile it fails"):
                stepwise(_traced(step))(state, tensors, tokens, targets, seen, one, one)
        with guarded(part, "a training step under vmap over runs fails"):
            norm = stepwise(step)(state, tensors, tokens, targets, seen, one, one)
    part.require(bool(state.loss_sum.isfinite().all()), "the loss of a training step is not finite")
    part.require(bool(norm.isfinite().all()), "the gradient of a training step is not finite")
    part.require(bool((norm > 0).all()), "no gradient comes back: that of a training step is zero")


def _traced(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step, traced as training.compiled does it and then called as it is."""
    from torch.fx.experimental.proxy_tensor import make_fx

    def call(*args: Tensor) -> Any:
        with torch.no_grad():
            make_fx(lambda *inputs: step(*inputs))(*args)
        return step(*args)

    return call


def _autocast(run: RunConfig) -> contextlib.AbstractContextManager:
    if run.precision == "bf16-mixed":
        return torch.autocast("cpu", torch.bfloat16)
    return contextlib.nullcontext()
