"""Parameters and FLOPs of a user's model, counted: one sequence's forward pass on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.config import RunConfig


@dataclass(frozen=True)
class Counts:
    """What orchestrator.cost says of ours by formula."""

    params: int
    params_non_embedding: int
    """Without nn.Embedding, and without the nn.Linear whose output the logits are."""
    forward_flops: int
    """Matrix products and convolutions of one sequence's forward pass (torch's FlopCounterMode:
    two a multiply-add; what is computed otherwise, such as a scan, is not counted)."""


def counts(run: RunConfig) -> Counts:
    """Counts of a run whose model is a user's, from its record where it stands for one."""
    recorded = run.model.counted
    if recorded is not None:
        return Counts(**{k: v for k, v in recorded.items() if k != "_target_"})
    if run.shape_id not in _known:
        _known[run.shape_id] = _count(run)
    return _known[run.shape_id]


_known: dict[str, Counts] = {}
"""By shape: that is all that counts depend on."""


def _count(run: RunConfig) -> Counts:
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    from orchestrator.parts.model import new_module
    from orchestrator.parts.own import Part, guarded

    module = new_module(run, 0)
    outputs: dict[nn.Module, Any] = {}
    for child in module.modules():
        if isinstance(child, nn.Linear):
            child.register_forward_hook(lambda m, _, out: outputs.__setitem__(m, out))
    tokens = torch.zeros(1, run.task.length, dtype=torch.int64)
    counter = FlopCounterMode(display=False)
    part = Part("model", "model._target_", run.model._target_)
    with guarded(part, f"fails on tokens (1, {run.task.length})"), torch.no_grad(), counter:
        logits = module(tokens)
    heads = {m for m, out in outputs.items() if out is logits}
    outer = {m for m in module.modules() if isinstance(m, nn.Embedding)} | heads
    ids = {id(p) for m in outer for p in m.parameters()}
    sizes = {id(p): p.numel() for p in module.parameters()}
    inner = sum(n for i, n in sizes.items() if i not in ids)
    return Counts(sum(sizes.values()), inner, counter.get_total_flops())
