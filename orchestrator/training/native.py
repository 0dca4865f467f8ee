"""Training and evaluation of a slice by our C++ (models/native/train.cpp): one run after the other,
so that a run's numbers do not depend on the slice it is in, bit for bit."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.models.native.build import library
from orchestrator.models.rope import rope_table
from orchestrator.models.transformer import EPS
from orchestrator.training.slices import SliceState
from orchestrator.training.step import RunTensors


class _Shape(ctypes.Structure):
    """Shape of transformer.h."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "depth", "width", "heads", "dim", "hidden", "vocab", "length", "scored", "start",
            "every", "kernel", "streams", "tied",
        )),
        ("eps", ctypes.c_float),
    ]  # fmt: skip


class Native:
    """The functions of one shape that models.native.serves.

    Raises: RuntimeError where the library can't be built or loaded.
    """

    def __init__(self, run: RunConfig) -> None:
        m, task = run.model, run.task
        scored = range(task.length)[task.scored]
        self.shape = _Shape(
            m.depth, m.width, m.heads, m.size_of_head, m.hidden, task.vocab, task.length,
            len(scored), scored.start, scored.step, m.momentum.kernel_size, 2, m.tied_head, EPS,
        )  # fmt: skip
        self.tables = ()
        if m.rope_base is not None:
            tables = rope_table(task.length, m.size_of_head, m.rope_base)
            self.tables = tuple(t.float().contiguous() for t in tables)
        self.optim = run.optim
        self.library = library("train")

    def advance(
        self, state: SliceState, tensors: RunTensors, tokens: Tensor, targets: Tensor,
        seen: Tensor, number: Tensor, factor: Tensor,
    ) -> Tensor:  # fmt: skip
        """As slices.stepwise: steps in place, and the last gradient norms (W,)."""
        steps, seeds, batch = tokens.shape[:3]
        runs, taps = len(state.params), self._taps(tensors.taps)
        loss, norm = torch.empty(runs, steps), torch.empty(runs)
        o = self.optim
        numbers = (ctypes.c_float(x) for x in (o.beta1, o.beta2, o.eps))
        self._call(
            "train", runs, (steps, seeds, batch),
            (state.params, state.optim["mean"], state.optim["square"], taps, tensors.hyper["lr"],
             tensors.hyper["weight_decay"], tensors.clip, tokens, targets, seen, number, factor),
            numbers, (loss, norm),
        )  # fmt: skip
        total = loss.double().sum(1)
        state.loss_sum += total
        state.loss_since += total
        return norm

    def evaluate(
        self, params: Tensor, taps: Tensor, tokens: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Summed loss (W,) and right answers (W,) of one batch, for every run."""
        loss = torch.empty(len(params))
        correct = torch.empty(len(params), dtype=torch.int64)
        inputs = (params, self._taps(taps), tokens, targets)
        self._call("evaluate", len(params), (len(tokens),), inputs, (), (loss, correct))
        return loss, correct

    def _taps(self, taps: Tensor) -> Tensor:
        """(W, L, 2, H, K), of as many taps as the shape has."""
        self.shape.kernel = taps.shape[-1]
        return taps.contiguous()

    def _call(self, name: str, runs: int, sizes: tuple, inputs: tuple, numbers, outputs) -> None:
        inputs = [x.contiguous() for x in inputs]
        tables = self.tables or (None, None)
        pointers = [_pointer(x) for x in (*tables, *inputs, *outputs)]
        ints = map(ctypes.c_int64, (runs, *sizes))
        failed = getattr(self.library, name)(
            ctypes.byref(self.shape), *pointers[:2], *ints,
            *pointers[2 : 2 + len(inputs)], *numbers, *pointers[2 + len(inputs) :],
        )  # fmt: skip
        if failed:
            raise IndexError(f"a token or target is outside 0..{self.shape.vocab - 1}")


def _pointer(x: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if x is None or not x.numel() else x.data_ptr())
