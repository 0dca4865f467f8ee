"""torch's fused attention operators for a CPU, written out: what a program for a GPU calls."""

from __future__ import annotations

import torch
from torch import Tensor

CALLS = {"forward": 0, "backward": 0}
"""How often each was called."""


def register() -> torch.library.Library:
    """Give the four operators a kernel for the CPU; in force while the library is held."""
    library = torch.library.Library("aten", "IMPL")
    for kind, forward, backward in (
        ("efficient", _efficient, _efficient_backward), ("flash", _flash, _flash_backward)
    ):  # fmt: skip
        name = f"_scaled_dot_product_{kind}_attention"
        library.impl(name, forward, "CPU")
        library.impl(f"{name}_backward", backward, "CPU")
    return library


def written_out(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
    """Causal attention in float32, laid out as the kernels do, heads next to dimensions."""
    q, k, v = (x.float() for x in (q_BHTD, k_BHTD, v_BHTD))
    future = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
    scores = (q @ k.mT * q.shape[-1] ** -0.5).masked_fill(future, float("-inf"))
    o = (scores.softmax(-1) @ v).to(q_BHTD.dtype)
    return o.transpose(1, 2).contiguous().transpose(1, 2)


def _gradients(grad: Tensor, *qkv: Tensor) -> tuple[Tensor, ...]:
    CALLS["backward"] += 1
    _, gradients_of = torch.func.vjp(written_out, *qkv)
    grads = gradients_of(grad)
    return tuple(_like(x, g) for x, g in zip(qkv, grads, strict=True))


def _like(x: Tensor, values: Tensor) -> Tensor:
    return torch.empty_like(x).copy_(values)


def _efficient(q, k, v, bias, sums, dropout=0.0, is_causal=False, *, scale=None):
    assert is_causal and not dropout and bias is None and scale is None
    CALLS["forward"] += 1
    padded = -(-q.shape[-2] // 32) * 32
    unused = torch.zeros((), dtype=torch.int64)
    return written_out(q, k, v), q.new_zeros(*q.shape[:2], padded), unused, unused.clone()


def _efficient_backward(
    grad, q, k, v, bias, o, sums, seed, offset, dropout, mask, is_causal=False, *, scale=None
):
    assert is_causal and not dropout and list(mask) == [True, True, True, False] and scale is None
    grads = _gradients(grad, q, k, v)
    return *(g.transpose(1, 2).contiguous().transpose(1, 2) for g in grads), None


def _flash(q, k, v, dropout=0.0, is_causal=False, debug=False, *, scale=None):
    assert is_causal and not dropout and scale is None
    CALLS["forward"] += 1
    sums, state = torch.zeros(q.shape[:3]), torch.zeros(2, dtype=torch.uint64)
    length, unused = q.shape[-2], torch.zeros((), dtype=torch.uint64)
    return (
        _like(q, written_out(q, k, v)),
        sums,
        None,
        None,
        length,
        length,
        state,
        unused,
        q.new_zeros(0),
    )


def _flash_backward(
    grad, q, k, v, o, sums, first, second, most, longest, dropout, is_causal, seed, offset, *,
    scale=None,
):  # fmt: skip
    assert is_causal and not dropout and most == longest == q.shape[-2] and scale is None
    return _gradients(grad, q, k, v)
