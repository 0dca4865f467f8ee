"""Training and evaluation of a slice by our C++ (models/native/train.cpp): one run after the other,
so that a run's numbers do not depend on the slice it is in, bit for bit.

Guarantee: the C++ is handed nothing but whole, contiguous tensors on the CPU of the type and shape it
is told; it counts them again against its own shape before it reads one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.models.native.build import library
from orchestrator.models.rope import rope_table
from orchestrator.models.transformer import EPS
from orchestrator.training.slices import SliceState
from orchestrator.training.step import RunTensors, scales_of


class _Shape(ctypes.Structure):
    """Shape of transformer.h."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "depth", "width", "heads", "dim", "hidden", "vocab", "length", "scored", "start",
            "every", "kernel", "streams", "tied",
        )),
        ("eps", ctypes.c_float),
    ]  # fmt: skip


class _Floats(ctypes.Structure):
    """Floats of check.h."""

    _fields_ = [("data", ctypes.c_void_p), ("count", ctypes.c_int64)]
    dtype = torch.float32


class _Ints(ctypes.Structure):
    """Ints of check.h."""

    _fields_ = [("data", ctypes.c_void_p), ("count", ctypes.c_int64)]
    dtype = torch.int64


_TABLES = (("cos", _Floats, "TR"), ("sin", _Floats, "TR"))
# As train.cpp declares them: the sizes that it is told, then the tensors, a letter an axis, or
# numbers without one. W runs, C steps, U seeds, B sequences, P parameters, T positions, Q of them
# scored; L layers, S streams, H heads, K taps; R pairs that are rotated;
# Z as many as P, or none.
_CALLS = {
    "train": ("WCUB", (
        ("params", _Floats, "WP"), ("mean", _Floats, "WP"), ("square", _Floats, "WP"),
        ("taps", _Floats, "WLSHK"), ("lr", _Floats, "W"), ("weight_decay", _Floats, "W"),
        ("clip", _Floats, "W"), ("tokens", _Ints, "CUBT"), ("targets", _Ints, "CUBQ"),
        ("seen", _Ints, "W"), ("number", _Floats, "C"), ("factor", _Floats, "C"),
        *((name, ctypes.c_float, None) for name in ("beta1", "beta2", "eps")),
        ("scale", _Floats, "Z"), ("floor", _Floats, "Z"),
        ("loss", _Floats, "WC"), ("norm", _Floats, "W"),
    )),
    "evaluate": ("WB", (
        ("params", _Floats, "WP"), ("taps", _Floats, "WLSHK"), ("tokens", _Ints, "BT"),
        ("targets", _Ints, "BQ"), ("loss", _Floats, "W"), ("correct", _Ints, "W"),
    )),
}  # fmt: skip


class Native:
    """The functions of one shape that models.native.serves.

    Both raise ValueError, having changed nothing, for a tensor of another type, shape or place than
    they are to have, and for a token, target or seed out of range.
    Raises: Unbuilt where the library can't be built or loaded.
    """

    def __init__(self, run: RunConfig) -> None:
        m, task = run.model, run.task
        scored = range(task.length)[task.scored]
        every = scored.step if len(scored) > 1 else 1
        self.shape = _Shape(
            m.depth, m.width, m.heads, m.size_of_head, m.hidden, task.vocab, task.length,
            len(scored), scored.start, every, m.momentum.kernel_size, 2, m.tied_head, EPS,
        )  # fmt: skip
        self.tables = (torch.empty(task.length, 0),) * 2
        if m.rope_base is not None:
            tables = rope_table(task.length, m.size_of_head, m.rope_base)
            self.tables = tuple(t.float().contiguous() for t in tables)
        self.optim = run.optim
        self.scales = scales_of(run) or (torch.empty(0), torch.empty(0))
        self.library = library()
        for name, (sizes, given) in _CALLS.items():
            function = getattr(self.library, name)
            kinds = [kind for _, kind, _ in (*_TABLES, *given)]
            kinds[2:2] = [ctypes.c_int64] * len(sizes)
            function.argtypes = [ctypes.POINTER(_Shape), *kinds]
            function.restype = ctypes.c_char_p

    def advance(
        self, state: SliceState, tensors: RunTensors, tokens: Tensor, targets: Tensor,
        seen: Tensor, number: Tensor, factor: Tensor,
    ) -> Tensor:  # fmt: skip
        """As slices.stepwise: steps in place, and the last gradient norms (W,)."""
        runs, steps = len(state.params), len(number)
        loss, norm = torch.empty(runs, steps), torch.empty(runs)
        o = self.optim
        self._call(
            "train",
            (state.params, state.optim["mean"], state.optim["square"], tensors.taps.contiguous(),
             tensors.hyper["lr"], tensors.hyper["weight_decay"], tensors.clip, tokens.contiguous(),
             targets.contiguous(), seen, number, factor, o.beta1, o.beta2, o.eps,
             *self.scales, loss, norm),
        )  # fmt: skip
        state.loss_sum.copy_(_added(state.loss_sum, loss))
        state.loss_since.copy_(_added(state.loss_since, loss))
        return norm

    def evaluate(
        self, params: Tensor, taps: Tensor, tokens: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Summed loss (W,) and right answers (W,) of one batch, for every run."""
        loss = torch.empty(len(params))
        correct = torch.empty(len(params), dtype=torch.int64)
        tokens, targets = tokens.contiguous(), targets.contiguous()
        self._call("evaluate", (params, taps.contiguous(), tokens, targets, loss, correct))
        return loss, correct

    def _call(self, name: str, values: Sequence[Tensor | float]) -> None:
        sizes, given = _CALLS[name]
        arguments = [*zip(_TABLES, self.tables, strict=True), *zip(given, values, strict=True)]
        s = self.shape
        known = {"L": s.depth, "S": s.streams, "H": s.heads, "T": s.length, "Q": s.scored}
        words = [_argument(n, kind, axes, x, known) for (n, kind, axes), x in arguments]
        s.kernel = known["K"]  # no taps: no filter
        words[2:2] = [known[axis] for axis in sizes]
        wrong = getattr(self.library, name)(ctypes.byref(s), *words)
        if wrong:
            raise ValueError(f"{name}: {wrong.decode()}")


def _added(total: Tensor, loss_WC: Tensor) -> Tensor:
    """Sums (..., W) with losses added one step after the other: how many steps come at a time does not
    show in the last bits."""
    each = loss_WC.double().expand(*total.shape, -1)
    terms = torch.cat((total.unsqueeze(-1), each), -1)
    return torch.from_numpy(np.add.accumulate(terms.numpy(), axis=-1)[..., -1])


def _argument(name: str, kind: type, axes: str | None, x: Tensor | float, known: dict[str, int]):
    """A tensor as the C++ takes it, or a number. An axis not `known` yet is known from here on."""
    if axes is None:
        return x
    if x.dtype != kind.dtype or x.device.type != "cpu" or not x.is_contiguous():
        how = "" if x.is_contiguous() else ", not contiguous"
        raise ValueError(
            f"{name}: must be {kind.dtype} on the CPU, is {x.dtype} on {x.device}{how}"
        )
    given = dict(zip(axes, x.shape, strict=False))
    if x.ndim != len(axes) or any(known.setdefault(a, n) != n for a, n in given.items()):
        wanted = ", ".join(f"{a}={known[a]}" if a in known else a for a in axes)
        raise ValueError(f"{name}: must have the shape ({wanted}), has {tuple(x.shape)}")
    return kind(x.data_ptr() or None, x.numel())
