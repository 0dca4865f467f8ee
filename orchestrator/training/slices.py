"""One slice of a pack while it trains: stacked tensors, and what is measured on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.training.step import Core, RunTensors


@dataclass(frozen=True)
class Slots:
    """Which members of a pack one call of the step trains: `first` to `last`, then padding."""

    index: int
    first: int
    last: int
    width: int

    @property
    def members(self) -> range:
        """Members without padding."""
        return range(self.first, self.last)

    @property
    def padded(self) -> list[int]:
        """`width` members; the last one stands again where there are fewer."""
        return [min(self.first + i, self.last - 1) for i in range(self.width)]


def slots_of(members: int, width: int) -> list[Slots]:
    """The slices of a pack, in order."""
    return [
        Slots(i, first, min(first + width, members), width)
        for i, first in enumerate(range(0, members, width))
    ]


@dataclass
class SliceState:
    """All of a slice that changes as it trains; a checkpoint is exactly this."""

    params: Tensor
    """(W, P)"""
    mean: Tensor
    """(W, P), AdamW's first moment."""
    square: Tensor
    """(W, P), AdamW's second moment."""
    loss_sum: Tensor
    """(W,) float64: training loss summed over steps; not finite once a run has diverged."""
    loss_since: Tensor
    """(W,) float64: the same since the last evaluation."""
    step: int = 0
    """Optimiser steps done."""
    evaluated: int = 0
    """Step of the last evaluation."""
    wall_s: float = 0.0
    """Seconds trained, over all attempts."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Evaluations so far."""

    def tensors(self) -> dict[str, Tensor]:
        return {k: v for k, v in vars(self).items() if isinstance(v, Tensor)}


def start(core: Core, runs: list[RunConfig], slots: Slots) -> tuple[SliceState, RunTensors]:
    """A slice's state before the first step, and the tensors of its runs, on the device."""
    each = {i: core.init(runs[i]) for i in slots.members}
    stacked = RunTensors(*(
        torch.stack([getattr(each[i], f.name) for i in slots.padded]).to(core.device)
        for f in dataclasses.fields(RunTensors)
    ))  # fmt: skip
    zeros = torch.zeros_like(stacked.params)
    sums = torch.zeros(slots.width, dtype=torch.float64, device=core.device)
    return SliceState(stacked.params, zeros, zeros.clone(), sums, sums.clone()), stacked


def stepwise(step: Callable[..., tuple[Tensor, ...]]) -> Callable[..., Tensor]:
    """From the step of a slice (step.over_runs) to many of them, `advance`.

    It takes the slice's state and tensors, tokens (C, U, B, T) and targets (C, U, B, Q) of C steps
    and U distinct seeds, which of those each run sees (W,), the steps' numbers and their factors
    of the learning rate (C,); it returns the last step's gradient norms (W,).
    """

    def advance(
        state: SliceState, tensors: RunTensors, tokens: Tensor, targets: Tensor, seen: Tensor,
        number: Tensor, factor: Tensor,
    ) -> Tensor:  # fmt: skip
        for i in range(len(number)):
            state.params, state.mean, state.square, loss, norm = step(
                state.params, state.mean, state.square, tensors.taps, tensors.lr,
                tensors.weight_decay, tensors.clip, tokens[i], targets[i], seen, number[i],
                factor[i],
            )  # fmt: skip
            state.loss_sum += loss
            state.loss_since += loss
        return norm

    return advance
