"""What a layer's attention saw in a forward pass, for measures and for forensics of trained models."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Layer:
    """Queries, keys and attention of one layer. Streams are q, k and, where values are filtered, v."""

    before: list[Tensor]
    """(B, H, T, D) a stream: into the filter (with `placement=post_rope`, rotated already)."""
    after: list[Tensor]
    """(B, H, T, D) a stream: out of the filter."""
    pattern_BHTT: Tensor
    """Attention of position t (third axis) to position s (last)."""
