"""Rotation, filter and causal attention as one operation on a CPU, equal to the three in turn.

One C++ kernel (native/attention.cpp) keeps a head's sequence in the first-level cache from q, k, v
to o and back; `vmap` stretches its axis of runs. Everything else of the model is torch's.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from orchestrator.models.native.build import library

LONGEST = 256
"""Longest sequence: a longer one's scores leave the cache."""


def serves(length: int, head_dim: int, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernel is for this shape: float32 on a CPU, a short sequence."""
    ours = device.type == "cpu" and dtype == torch.float32 and head_dim % 2 == 0
    return ours and length <= LONGEST


def attention(
    q_BTHD: Tensor, k_BTHD: Tensor, v_BTHD: Tensor, taps_SHK: Tensor, cos: Tensor, sin: Tensor
) -> Tensor:
    """o (B, T, H, D) of one run: q and k turned by cos, sin (T, D/2; empty: not turned), filtered
    by the taps of streams 0 and 1, then softmax(q̂ k̂ᵀ / √D) v under a causal mask.

    No gradient reaches the taps.
    """
    one = (q_BTHD[None], k_BTHD[None], v_BTHD[None], taps_SHK[None])
    return _Attention.apply(*one, cos, sin)[0]


# Bare operators, not torch.library.custom_op: its autograd layer refuses torch.func's transforms.
torch.library.define(
    "orchestrator::attention",
    "(Tensor q, Tensor k, Tensor v, Tensor taps, Tensor cos, Tensor sin) -> Tensor",
)
torch.library.define(
    "orchestrator::attention_backward",
    "(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor taps, Tensor cos, Tensor sin)"
    " -> (Tensor, Tensor, Tensor)",
)


@torch.library.impl("orchestrator::attention", "cpu")
def _forward(q: Tensor, k: Tensor, v: Tensor, taps: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    q, k, v, taps, cos, sin = (x.contiguous() for x in (q, k, v, taps, cos, sin))
    out = torch.empty_like(q)
    _call("attention_forward", (q, k, v, taps, cos, sin, out), q, taps)
    return out


@torch.library.impl("orchestrator::attention_backward", "cpu")
def _backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, taps: Tensor, cos: Tensor, sin: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    tensors = tuple(x.contiguous() for x in (grad, q, k, v, taps, cos, sin))
    outs = tuple(torch.empty_like(tensors[1]) for _ in range(3))
    _call("attention_backward", (*tensors, *outs), tensors[1], tensors[4])
    return outs


def _call(name: str, tensors: tuple[Tensor, ...], q: Tensor, taps: Tensor) -> None:
    runs, batch, length, heads, dim = q.shape
    sizes = (runs, batch, taps.shape[1], length, heads, dim, taps.shape[-1])
    pointers = (ctypes.c_void_p(x.data_ptr() if x.numel() else None) for x in tensors)
    getattr(library("attention"), name)(*pointers, *map(ctypes.c_int64, sizes))


@torch.library.register_fake("orchestrator::attention")
def _(q, k, v, taps, cos, sin):
    return torch.empty(q.shape, dtype=q.dtype, device=q.device)


@torch.library.register_fake("orchestrator::attention_backward")
def _(grad, q, k, v, taps, cos, sin):
    return tuple(torch.empty(q.shape, dtype=q.dtype, device=q.device) for _ in range(3))


class _Attention(torch.autograd.Function):
    """The operation with its gradient, in the form that `torch.func` takes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(q, k, v, taps, cos, sin):
        return torch.ops.orchestrator.attention(q, k, v, taps, cos, sin)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        q, k, v, taps, cos, sin = ctx.saved_tensors
        grads = torch.ops.orchestrator.attention_backward(grad, q, k, v, taps, cos, sin)
        return *grads, None, None, None


def _stretched(info, in_dims, args: tuple[Tensor, ...]) -> list[Tensor]:
    """Tensors (runs, ...) with the mapped axis merged into theirs; cos and sin have none."""
    out = []
    for x, dim in zip(args[:-2], in_dims[:-2], strict=True):
        x = x.movedim(dim, 0) if dim is not None else x.expand(info.batch_size, *x.shape)
        out.append(x.flatten(0, 1))
    return [*out, *args[-2:]]


@torch.library.register_vmap("orchestrator::attention")
def _(info, in_dims, *args):
    out = torch.ops.orchestrator.attention(*_stretched(info, in_dims, args))
    return out.unflatten(0, (info.batch_size, -1)), 0


@torch.library.register_vmap("orchestrator::attention_backward")
def _(info, in_dims, *args):
    outs = torch.ops.orchestrator.attention_backward(*_stretched(info, in_dims, args))
    return tuple(x.unflatten(0, (info.batch_size, -1)) for x in outs), (0, 0, 0)
