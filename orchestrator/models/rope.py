"""Rotary position embedding (Su et al. 2021, arXiv 2104.09864), half-split layout."""

from __future__ import annotations

import torch
from torch import Tensor


def rope_table(length: int, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """cos and sin, each (T, D/2), float64: the angle of pair i at position t is t · base^(-2i/D)."""
    rates = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return angles.cos(), angles.sin()


def rotate(z_BHTD: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pair i (dimensions i and i + D/2) of position t by its angle.

    One expression of the two halves and the halves swapped: concatenating them instead costs a
    compiled step three copies (docs/notebook.md, "The step").
    """
    halves = z_BHTD.unflatten(-1, (2, z_BHTD.shape[-1] // 2))
    sign = torch.arange(-1, 2, 2, dtype=z_BHTD.dtype, device=z_BHTD.device)[:, None]
    turned = halves * cos[:, None] + halves.flip(-2) * (sin[:, None] * sign)
    return turned.flatten(-2)
