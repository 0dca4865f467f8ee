"""Fused causal attention on a GPU (Dao et al. 2022, arXiv 2205.14135): no T² scores in memory.

torch's operators have no rule by which `vmap` takes their backward pass, and would be looped over
runs; here the axis of runs is folded into the batch on both ways.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def fused(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
    """softmax(q kᵀ / √D) v with a causal mask; (B, H, T, D) each, o alike; D a multiple of 8.

    float32 by the memory-efficient kernel, 16 bits by flash attention; under autocast in its type.
    """
    device = q_BHTD.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        q_BHTD, k_BHTD, v_BHTD = (x.to(dtype) for x in (q_BHTD, k_BHTD, v_BHTD))
    return _Forward.apply(q_BHTD, k_BHTD, v_BHTD)[0]


class _Forward(torch.autograd.Function):
    """o, and what the backward pass wants: the scores' log-sums, and a dropout's unused state."""

    @staticmethod
    def forward(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        if q.dtype == torch.float32:
            return aten._scaled_dot_product_efficient_attention(q, k, v, None, True, is_causal=True)
        o, sums, _, _, _, _, seed, offset, _ = aten._scaled_dot_product_flash_attention(
            q, k, v, is_causal=True
        )
        return o, sums, seed, offset

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs, *output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *unused: Tensor) -> tuple[Tensor, ...]:
        return _Backward.apply(grad, *ctx.saved_tensors)

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], *given: Tensor) -> tuple[Any, Any]:
        o, sums, seed, offset = _Forward.apply(*_folded(info.batch_size, dims, given))
        runs = (info.batch_size, -1)
        return (o.unflatten(0, runs), sums.unflatten(0, runs), seed, offset), (0, 0, None, None)


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(
        grad: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, sums: Tensor, seed: Tensor,
        offset: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        if q.dtype == torch.float32:
            mask = [True, True, True, False]
            return aten._scaled_dot_product_efficient_attention_backward(
                grad, q, k, v, None, o, sums, seed, offset, 0.0, mask, True
            )[:3]
        length = q.shape[-2]
        return aten._scaled_dot_product_flash_attention_backward(
            grad, q, k, v, o, sums, None, None, length, length, 0.0, True, seed, offset
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        pass  # no second derivative

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], *given: Tensor) -> tuple[Any, Any]:
        *each, seed, offset = given
        grads = _Backward.apply(*_folded(info.batch_size, dims, each), seed, offset)
        return tuple(g.unflatten(0, (info.batch_size, -1)) for g in grads), (0, 0, 0)


def _folded(runs: int, dims: tuple[int | None, ...], given: Any) -> list[Tensor]:
    """(W, B, ...) each, or (B, ...) where all runs share it, to (W · B, ...)."""
    stacked = [
        x.expand(runs, *x.shape) if d is None else x.movedim(d, 0)
        for x, d in zip(given, dims, strict=False)
    ]
    return [x.flatten(0, 1) for x in stacked]
