"""The trial that operators and attentions share: a causal, differentiable map of (B, H, T, D)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orchestrator.parts.own import Part, guarded

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.config import RunConfig

SEQUENCES = 3
"""Sequences of the trial."""
NOISE = 1e-3
"""Change of the output, over the largest, up to which it counts as rounding (an FFT's, say)."""


def try_streams(
    run: RunConfig, part: Part, function: Any, streams: int, given: tuple[Tensor, ...], words: str
) -> None:
    """Call function(*streams, *given) on random streams, alone, altered, and under vmap.

    Raises: UserError that says what is not as it must be.
    """
    import torch

    from orchestrator.training.step import DTYPES

    part.require(callable(function), f"must be a function of {words}")
    dtype = DTYPES[run.precision]
    shape = (SEQUENCES, run.model.heads, run.task.length, run.model.size_of_head)
    made = torch.Generator().manual_seed(1)
    inputs = [torch.randn(shape, generator=made, dtype=dtype) for _ in range(streams)]
    given = tuple(x.to(dtype) for x in given)

    def call(*zs: Tensor) -> Tensor:
        with guarded(part, f"fails on {words} with (B, H, T, D) = {shape}"):
            return function(*zs, *given)

    kept = [x.clone() for x in (*inputs, *given)]
    out = call(*inputs)
    part.require(isinstance(out, torch.Tensor), f"gives {type(out).__name__}, must give a tensor")
    part.require(
        out.shape == shape, f"gives shape {tuple(out.shape)}, must give (B, H, T, D) = {shape}"
    )
    part.require(out.dtype == dtype, f"gives {out.dtype}, must give {dtype} as it got")
    part.require(out.device == inputs[0].device, f"gives a tensor on {out.device}, not z's device")
    part.require(
        not out.requires_grad,
        "has parameters of its own, which nothing would train: make it a model",
    )
    part.require(
        all(map(torch.equal, (*inputs, *given), kept)), "writes to its arguments, which others read"
    )
    part.require(bool(out.isfinite().all()), "gives numbers that are not finite")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        again = call(*inputs)
    part.require(torch.equal(out, again), "gives another output at the second call: no randomness")
    _require_causal(part, call, inputs, out)
    _require_apart(part, call, inputs, out)
    _require_gradient(part, call, inputs)
    with guarded(part, "fails under vmap over runs"):
        both = torch.vmap(lambda *zs: function(*zs, *given))(
            *(torch.stack((x, -x)) for x in inputs)
        )
    near = torch.allclose(both[0], out, rtol=NOISE, atol=NOISE * float(out.abs().max()))
    part.require(near, "gives another output under vmap over runs than alone")


def _require_causal(
    part: Part, call: Callable[..., Tensor], inputs: list[Tensor], out: Tensor
) -> None:
    """What comes after a position must not change the output there."""
    length = out.shape[2]
    for first in sorted({1, length // 2, length - 1} - {0, length}):
        moved = []
        for x in inputs:
            x = x.clone()
            x[:, :, first:] = -2 * x[:, :, first:] + 1
            moved.append(x)
        changed = (call(*moved) - out).abs()[:, :, :first].max() > NOISE * out.abs().max()
        part.require(
            not changed, f"is not causal: what stands at position {first} changes outputs before it"
        )


def _require_apart(
    part: Part, call: Callable[..., Tensor], inputs: list[Tensor], out: Tensor
) -> None:
    """A sequence must not change the output of another one in its batch."""
    moved = [torch_cat(x) for x in inputs]
    changed = (call(*moved) - out).abs()[:1].max() > NOISE * out.abs().max()
    part.require(not changed, "mixes sequences: one of a batch changes the output of another")


def torch_cat(x: Tensor) -> Tensor:
    """The first sequence as it is, the others changed."""
    import torch

    return torch.cat((x[:1], -2 * x[1:] + 1))


def _require_gradient(part: Part, call: Callable[..., Tensor], inputs: list[Tensor]) -> None:
    """A finite gradient that is not zero reaches every input stream."""
    import torch

    zs = [x.clone().requires_grad_() for x in inputs]
    out = call(*zs)
    part.require(out.requires_grad, "no gradient comes back through it")
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(3), dtype=out.dtype)
    with guarded(part, "can't be differentiated"):
        grads = torch.autograd.grad((out * weights).sum(), zs, allow_unused=True)
    for name, grad in zip("qkv" if len(zs) > 1 else "z", grads, strict=True):
        part.require(
            grad is not None and bool((grad != 0).any()), f"no gradient comes back to {name}"
        )
        part.require(bool(grad.isfinite().all()), f"the gradient to {name} is not finite")
