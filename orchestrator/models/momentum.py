"""The momentum operator: a causal filter along the sequence with p_0 = 0.

q̂_t = Σ_k c_k q_{t-k}, where q before the sequence's start is q_0. With taps (1+γ, -γ) this is
the shear q̂_t = q_t + γ p_t, p_t = q_t - q_{t-1}, p_0 = 0 (arXiv 2602.04902): p_0 = 0 is the
same as repeating q_0. Transfer function 1 + γ (1 - e^{-iω}).
"""

from __future__ import annotations

import torch
from torch import Tensor


def causal_filter(z_BHTD: Tensor, taps_HK: Tensor) -> Tensor:
    """Filter each head along T. Shapes (B, H, T, D) and (H, K) to (B, H, T, D)."""
    out = taps_HK[:, 0, None, None] * z_BHTD
    for k in range(1, taps_HK.shape[-1]):
        out = out + taps_HK[:, k, None, None] * _delayed(z_BHTD, k)
    return out


def _delayed(z_BHTD: Tensor, k: int) -> Tensor:
    """z_{t-k}, with z_0 before the start."""
    length = z_BHTD.shape[2]
    k = min(k, length)
    start = z_BHTD[:, :, :1].expand(-1, -1, k, -1)
    return torch.cat((start, z_BHTD[:, :, : length - k]), dim=2)
