"""What a model of one's own must provide, and its trial.

class Conv(nn.Module):
    def __init__(self, vocab, length, scored, depth: int = 1, width: int = 32):
        super().__init__()
        ...                                    # settings: model.depth=2 model.width=64

    def forward(self, tokens_BT):
        ...
        return self.head(x_BTE)                # logits at every position, or at scored ones
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.parts.own import Part, guarded, load

if TYPE_CHECKING:
    from torch import Tensor, nn

    from orchestrator.config import RunConfig

SEQUENCES = 3
"""Sequences of the trial."""
NOISE = 1e-3
"""Change of the logits, over the largest, up to which it counts as rounding."""


class ModelClass(Protocol):
    """An nn.Module class. Its constructor's other arguments are the settings `model.*`, by their type
    hints and defaults; all of them belong to the shape. `depth`, `width`, `heads`, `head_dim` and
    `gamma` fill the table's columns of these names."""

    causal: bool = True
    """Set False where logits may depend on later tokens; the trial then does not ask."""

    def __init__(self, vocab: int, length: int, scored: slice, **settings: Any) -> None:
        """Parameters are drawn from torch's generator alone, which is seeded with seed_init; buffers
        are the same for every seed."""
        ...

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits (B, T, vocab), or (B, Q, vocab) at the scored positions, floating point.

        It is called under `vmap` over runs, by functional_call with each run's parameters: no
        `.item()`, no `if` on a tensor's value, no randomness (dropout), no in-place writing to
        buffers (batch norm's statistics), no mixing of sequences.
        """
        ...


def new_module(run: RunConfig, seed: int) -> nn.Module:
    """A user's model, built on the CPU with torch's generator seeded; the generator of the process
    is left as it was. Raises: UserError."""
    import torch

    part = Part("model", "model._target_", run.model._target_)
    found = load(part)
    given = {"vocab": run.task.vocab, "length": run.task.length, "scored": run.task.scored}
    wanted = inspect.signature(found).parameters
    settings = {f.name: getattr(run.model, f.name) for f in dataclasses.fields(run.model)}
    words = {k: v for k, v in given.items() if k in wanted} | settings
    doing = f"can't be built with {_said(settings)}"
    with guarded(part, doing), torch.device("cpu"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return found(**words)


def _said(settings: dict[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in settings.items()) or "no settings"


def check(run: RunConfig, part: Part) -> None:
    """Build a model for three seeds and try a forward and a backward pass on the task's tokens.

    Raises: UserError where it is not what ModelClass says.
    """
    import torch

    from orchestrator.training.step import DTYPES

    dtype = DTYPES[run.precision]
    first, again, other = (new_module(run, seed) for seed in (1, 1, 2))
    _require_parameters(part, first, again, other)
    first.to(dtype)
    tokens = run.task.batch(torch.tensor(1), torch.tensor(1), SEQUENCES)[0]
    before = {n: b.clone() for n, b in first.named_buffers()}

    def call(tokens_BT: Tensor) -> Tensor:
        with guarded(part, f"fails on tokens {tuple(tokens_BT.shape)}"):
            return first(tokens_BT)

    kept, logits = tokens.clone(), call(tokens)
    scored = range(run.task.length)[run.task.scored]
    shapes = [(SEQUENCES, n, run.task.vocab) for n in dict.fromkeys((run.task.length, len(scored)))]
    part.require(
        isinstance(logits, torch.Tensor), f"gives {type(logits).__name__}, must give a tensor"
    )
    part.require(
        tuple(logits.shape) in shapes,
        f"gives shape {tuple(logits.shape)}, must give {' or '.join(map(str, shapes))}: sequences, "
        "positions (all, or those scored), vocab",
    )
    part.require(
        logits.dtype == dtype, f"gives {logits.dtype}, must give {dtype} as its parameters are"
    )
    part.require(logits.device == tokens.device, f"gives a tensor on {logits.device}, not the CPU")
    part.require(bool(logits.isfinite().all()), "gives logits that are not finite")
    part.require(torch.equal(tokens, kept), "writes to the tokens, which others read")
    moved = [n for n, b in first.named_buffers() if not torch.equal(b, before[n])]
    part.require(
        not moved, f"writes to its buffer {moved[0] if moved else ''}, which all runs share"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        same = torch.equal(logits, call(tokens))
    part.require(same, "gives other logits at the second call: no randomness (dropout), no state")
    _require_causal(part, run, call, tokens, logits)
    with guarded(part, "can't be differentiated"):
        logits.square().sum().backward()
    for name, p in first.named_parameters():
        part.require(p.grad is not None, f"no gradient reaches its parameter {name}")
        part.require(
            bool(p.grad.isfinite().all()), f"the gradient to its parameter {name} is not finite"
        )


def _require_parameters(part: Part, first: nn.Module, again: nn.Module, other: nn.Module) -> None:
    """Initial weights are seed_init's alone, buffers nobody's."""
    import torch

    named = dict(first.named_parameters())
    part.require(bool(named), "has no parameters to train")
    for name, p in named.items():
        part.require(
            p.is_floating_point(), f"its parameter {name} is {p.dtype}, must be a real number's"
        )
        part.require(p.requires_grad, f"its parameter {name} is frozen: make it a buffer")
        part.require(p.device.type == "cpu", f"its parameter {name} is on {p.device}, not the CPU")
        part.require(
            bool(p.isfinite().all()), f"its parameter {name} is not finite before training"
        )
    twice, thrice = dict(again.named_parameters()), dict(other.named_parameters())
    part.require(
        named.keys() == twice.keys() and all(torch.equal(p, twice[n]) for n, p in named.items()),
        "has other initial weights when built again with one seed_init: draw them from torch's "
        "generator alone",
    )
    shared = [n for n, p in named.items() if p.numel() and p.data_ptr() == thrice[n].data_ptr()]
    part.require(
        not shared,
        f"its parameter {''.join(shared[:1])} is one for all that are built: make it in the constructor",
    )
    part.require(
        not all(torch.equal(p, thrice[n]) for n, p in named.items()),
        "has the same initial weights for every seed_init: it must set no seed of its own",
    )
    buffers = dict(other.named_buffers())
    for name, b in first.named_buffers():
        part.require(
            torch.equal(b, buffers[name]), f"its buffer {name} differs by seed: make it a parameter"
        )


def _require_causal(part: Part, run: RunConfig, call: Any, tokens: Tensor, logits: Tensor) -> None:
    """Later tokens change no logits before them, a sequence none of another's."""
    length, scored = run.task.length, range(run.task.length)[run.task.scored]
    positions = list(range(length)) if logits.shape[1] == length else list(scored)
    limit = NOISE * logits.detach().abs().max()
    others = tokens.clone()
    others[1:] = (others[1:] + 1) % run.task.vocab
    changed = (call(others) - logits)[0].abs().max() > limit
    part.require(not changed, "mixes sequences: one of a batch changes the logits of another")
    if not getattr(load(part), "causal", True):
        return
    for first in sorted({1, length // 2, length - 1} - {0, length}):
        later = tokens.clone()
        later[:, first:] = (later[:, first:] + 1) % run.task.vocab
        before = [i for i, t in enumerate(positions) if t < first]
        changed = bool(before) and (call(later) - logits)[:, before].abs().max() > limit
        part.require(
            not changed,
            f"is not causal: the token at position {first} changes logits before it (a class with "
            "causal = False may)",
        )
