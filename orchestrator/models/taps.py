"""From a momentum config to filter taps: every arm of the operator is a tensor, none is code.

Taps (L, S, H, K): layer, stream (q, k and, where values are filtered, v), head, lag. An
unfiltered stream has taps (1, 0, ...). Computed in float64, so that a pack may mix arms and
γ in one compiled step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orchestrator.config import Model, Momentum


def shear_taps(gamma: Tensor, kernel: int, smoothing: float = 0.0) -> Tensor:
    """Taps (..., K) of q̂_t = q_t + γ p̄_t for γ of shape (...).

    p_t = q_t - q_{t-1} (arXiv 2602.04902) and p̄ its exponential moving average with β =
    `smoothing`, p̄_t = β p̄_{t-1} + (1-β) p_t, cut off after K taps: the last tap holds what
    is left, so that the taps of p̄ sum to 0 and the gain at DC stays 1.
    β = 0 gives (1+γ, -γ, 0, ...).
    """
    difference = torch.zeros(kernel, dtype=gamma.dtype, device=gamma.device)
    difference[0] = 1 - smoothing
    for k in range(1, kernel):
        difference[k] = -((1 - smoothing) ** 2) * smoothing ** (k - 1)
    difference[-1] = -difference[:-1].sum()
    identity = torch.zeros_like(difference)
    identity[0] = 1
    return identity + gamma[..., None] * difference


def gain(taps: Tensor) -> Tensor:
    """√Σc² (...): the filter's gain on a signal whose neighbours are uncorrelated."""
    return taps.square().sum(-1).sqrt()


def filter_taps(model: Model) -> Tensor:
    """Taps (L, S, H, K), float64, of a model whose momentum is not learned."""
    m = model.momentum
    head_taps = given_taps(m, model.depth, model.heads)
    if m.norm == "matched":
        head_taps = head_taps / gain(head_taps)[..., None].clamp_min(1e-300)
    elif m.norm == "gain_only":
        only = torch.zeros_like(head_taps)
        only[..., 0] = gain(head_taps)
        head_taps = only
    streams = 3 if m.filters_values else 2
    out = torch.zeros(model.depth, streams, model.heads, m.kernel_size, dtype=torch.float64)
    out[..., 0] = 1
    for layer in filtered_layers(m, model.depth):
        for stream, letter in enumerate("qkv"[:streams]):
            if letter in m.streams:
                out[layer, stream] = head_taps[layer]
    return out


def filtered_layers(momentum: Momentum, depth: int) -> list[int]:
    """Numbers of the layers whose streams are filtered."""
    if isinstance(momentum.layers, list):
        return list(momentum.layers)
    return {
        "all": list(range(depth)),
        "first": [0],
        "middle": [depth // 2],
        "last": [depth - 1],
    }[momentum.layers]


def given_taps(m: Momentum, depth: int, heads: int) -> Tensor:
    """Taps (L, H, K), float64, as the config gives them: by taps, angle or γ."""
    shape = (depth, heads, m.kernel_size)
    out = torch.zeros(shape, dtype=torch.float64)
    if m.taps is not None:
        out[..., : len(m.taps)] = torch.tensor(m.taps, dtype=torch.float64)
        return out
    if m.angle is not None:
        phi = math.radians(m.angle)
        out[..., 0], out[..., 1] = math.cos(phi), -math.sin(phi)
        return out
    gamma = torch.zeros(depth, heads, dtype=torch.float64)
    rows = m.gamma if isinstance(m.gamma, list) else [m.gamma] * depth
    for layer, row in enumerate(rows):
        gamma[layer] = torch.tensor(row, dtype=torch.float64)
    return shear_taps(gamma, m.kernel_size, m.smoothing)
