"""Causal attention of one run, written so that it batches over runs without a fast-path loss.

Under `vmap` torch's fused attention falls back to a loop over runs on a CPU; the products written
out batch as they are and are the faster kernel at the short lengths of these tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor


def attend(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
    """softmax(q kᵀ / √D) v with a causal mask; (B, H, T, D) each, o alike."""
    length, head_dim = q_BHTD.shape[-2:]
    scores = (q_BHTD @ k_BHTD.transpose(-2, -1)) * head_dim**-0.5
    future = torch.ones(length, length, dtype=torch.bool, device=q_BHTD.device).triu(1)
    return scores.masked_fill(future, float("-inf")).softmax(-1) @ v_BHTD
