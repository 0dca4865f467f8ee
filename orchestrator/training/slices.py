"""One slice of a pack while it trains: stacked tensors, and what is measured on the way."""

from __future__ import annotations

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
    optim: dict[str, Tensor]
    """The optimiser's state: (W, ...) each."""
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


def start(core: Core, runs: list[RunConfig], slots: Slots) -> tuple[SliceState, RunTensors]:
    """A slice's state before the first step, and the tensors of its runs, on the device."""
    each = {i: core.init(runs[i]) for i in slots.members}

    def stacked(of: Callable[[RunTensors], Tensor]) -> Tensor:
        return torch.stack([of(each[i]) for i in slots.padded]).to(core.device)

    tensors = RunTensors(
        stacked(lambda t: t.params), stacked(lambda t: t.taps), stacked(lambda t: t.clip),
        {n: stacked(lambda t, n=n: t.hyper[n]) for n in core.rates},
    )  # fmt: skip
    state = torch.vmap(lambda params_P: core.optim.init(params_P, core.sizes))(tensors.params)
    sums = torch.zeros(slots.width, dtype=torch.float64, device=core.device)
    optim = {n: state[n].contiguous() for n in core.state}
    return SliceState(tensors.params, optim, sums, sums.clone()), tensors


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
            loss, norm, state.params, *optim = step(
                state.params, tensors.taps, tensors.clip, seen, *tensors.hyper.values(),
                *state.optim.values(), tokens[i], targets[i], number[i], factor[i],
            )  # fmt: skip
            state.optim = dict(zip(state.optim, optim, strict=True))
            state.loss_sum += loss
            state.loss_since += loss
        return norm

    return advance
