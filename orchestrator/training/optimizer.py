"""Clip and AdamW for one run, as a pure function of flat tensors.

Ours because the stock optimiser holds one learning rate; tested against it run by run. All
parameters of a run lie in one vector, so that the update is one kernel and a checkpoint three
tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor


def clip_factor(norm: Tensor, clip: Tensor) -> Tensor:
    """Factor that brings a gradient of this norm down to `clip` (torch.nn.utils.clip_grad_norm_).

    `clip` is +inf where there is none. A norm that is not finite gives a factor that is not.
    """
    return (clip / (norm + 1e-6)).clamp(max=1.0)


def adamw(
    params_P: Tensor, grad_P: Tensor, mean_P: Tensor, square_P: Tensor,
    step: Tensor, lr: Tensor, weight_decay: Tensor, beta1: float, beta2: float, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """New (params, mean, square) after step number `step` ≥ 1 (Loshchilov & Hutter 2019, alg. 2)."""
    mean_P = torch.lerp(mean_P, grad_P, 1 - beta1)
    square_P = beta2 * square_P + (1 - beta2) * grad_P * grad_P
    correction1 = 1 - beta1**step
    correction2 = 1 - beta2**step
    denominator = square_P.sqrt() / correction2.sqrt() + eps
    params_P = params_P * (1 - lr * weight_decay) - (lr / correction1) * mean_P / denominator
    return params_P, mean_P, square_P
