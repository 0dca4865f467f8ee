"""Entropy of attention, nats: 0 where each position attends to one, ln t where evenly to t.

-Σ_s a_ts ln a_ts, mean over positions t, sequences and heads (Zhai et al. 2023, arXiv 2303.06296).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.measures.forward import Forward


def attention_entropy(forward: Forward) -> dict[str, Tensor]:
    """Mean over layers."""
    each = _by_layer(forward)
    return {"attention_entropy": sum(each) / len(each)}


def attention_entropy_by_layer(forward: Forward) -> dict[str, Tensor]:
    """attention_entropy_layer0 and so on."""
    return {f"attention_entropy_layer{i}": x for i, x in enumerate(_by_layer(forward))}


def _by_layer(forward: Forward) -> list[Tensor]:
    import torch

    return [torch.special.entr(layer.pattern_BHTT).sum(-1).mean() for layer in forward.layers]
