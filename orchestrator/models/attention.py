"""Causal attention of one run, written so that it batches over runs without a fast-path loss.

Under `vmap` torch's fused attention falls back to a loop over runs on a CPU; the products written
out batch as they are and are the faster kernel at the short lengths of these tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from orchestrator.models import FUSED_LENGTH
from orchestrator.models.fused import fused

GPUS = {"cuda"}


def attend(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
    """softmax(q kᵀ / √D) v with a causal mask; (B, H, T, D) each, o alike."""
    length, head_dim = q_BHTD.shape[-2:]
    if is_fused(q_BHTD, v_BHTD):
        return fused(q_BHTD, k_BHTD, v_BHTD)
    scores = (q_BHTD @ k_BHTD.transpose(-2, -1)) * head_dim**-0.5
    future = torch.ones(length, length, dtype=torch.bool, device=q_BHTD.device).triu(1)
    return scores.masked_fill(future, float("-inf")).softmax(-1) @ v_BHTD


def is_fused(q_BHTD: Tensor, v_BHTD: Tensor) -> bool:
    """Whether attention is fused: on a GPU, where T makes it pay and a kernel takes the shape."""
    length, head_dim = q_BHTD.shape[-2:]
    return (
        on_gpu(q_BHTD) and length >= FUSED_LENGTH
        and head_dim % 8 == 0 and head_dim <= 256 and v_BHTD.shape[-1] == head_dim
        and q_BHTD.dtype != torch.float64
    )  # fmt: skip


def on_gpu(x: Tensor) -> bool:
    """Whether what a GPU is faster by is chosen, though it moves a CPU's last bits."""
    return x.device.type in GPUS
