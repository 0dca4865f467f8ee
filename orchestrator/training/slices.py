"""One slice of a pack while it trains: stacked tensors, and what is measured on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
    """The slices of a pack of one length, in order."""
    return [slots for (slots,) in chunks_of(members, width, 1)]


def chunks_of(models: int, width: int, lengths: int) -> list[list[Slots]]:
    """The slices of a pack, those of the same models in their lengths together."""
    firsts = range(0, models, width)
    return [
        [Slots(k * len(firsts) + i, k * models + first, k * models + min(first + width, models), width)
         for k in range(lengths)]
        for i, first in enumerate(firsts)
    ]  # fmt: skip


@dataclass
class SliceState:
    """All of a slice that changes as it trains; a checkpoint is exactly this, of each that is kept.

    It is on the way to one length of its models, and carries what others that have taken the same steps
    so far have measured on theirs.
    """

    params: Tensor
    """(W, P)"""
    optim: dict[str, Tensor]
    """The optimiser's state: (W, ...) each."""
    loss_sum: Tensor
    """(W,) float64: training loss summed over steps; not finite once a run has diverged."""
    loss_since: Tensor
    """(lengths, W) float64: the same since the last evaluation of each length."""
    step: int = 0
    """Optimiser steps done."""
    wall_s: float = 0.0
    """Seconds trained, over all attempts."""
    length: int = 0
    """Number of the length that it is on the way to."""
    carried: list[int] = field(default_factory=lambda: [0])
    """Numbers of the lengths whose evaluations it has."""
    rows: list[list[dict[str, Any]]] = field(default_factory=lambda: [[]])
    """The evaluations so far of each length."""

    def copied(self) -> SliceState:
        """One that goes its own way from here."""
        tensors = {
            "params": self.params.clone(), "optim": {n: x.clone() for n, x in self.optim.items()},
            "loss_sum": self.loss_sum.clone(), "loss_since": self.loss_since.clone(),
        }  # fmt: skip
        return replace(
            self, **tensors, carried=list(self.carried), rows=[list(r) for r in self.rows]
        )

    def evaluated(self, length: int) -> int:
        """Step of the last evaluation of a length."""
        return self.rows[length][-1]["step"] if self.rows[length] else 0


def start(
    core: Core, runs: list[RunConfig], slots: Slots, lengths: Sequence[int] = (0,)
) -> tuple[SliceState, RunTensors]:
    """A slice's state before the first step, to carry some `lengths`, and the tensors of its runs, on
    the device."""
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
    empty = SliceState(
        tensors.params, optim, sums, sums.repeat(max(lengths) + 1, 1), carried=list(lengths),
        rows=[[] for _ in range(max(lengths) + 1)],
    )  # fmt: skip
    return empty, tensors


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
