"""The momentum operator: a causal filter along the sequence with p_0 = 0.

q̂_t = Σ_k c_k q_{t-k}, where q before the sequence's start is q_0. With taps (1+γ, -γ) this is
the shear q̂_t = q_t + γ p_t, p_t = q_t - q_{t-1}, p_0 = 0 (arXiv 2602.04902): p_0 = 0 is the
same as repeating q_0. Transfer function 1 + γ (1 - e^{-iω}).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def causal_filter(z_BHTD: Tensor, taps_HK: Tensor) -> Tensor:
    """Filter each head along T. Shapes (B, H, T, D) and (H, K) to (B, H, T, D).

    Position t sees z_0 at lag t alone, with the weight of all lags from t on; so the sum runs over
    z delayed with zeros before it, and no copy of z is made.
    """
    length = z_BHTD.shape[2]
    position_T = torch.arange(length, device=z_BHTD.device)
    out = z_BHTD
    for k in range(min(taps_HK.shape[-1], length)):
        older_H1 = taps_HK[:, k + 1 :].sum(-1, keepdim=True)
        weight_HT = taps_HK[:, k, None] + torch.where(position_T == k, older_H1, 0.0)
        delayed = F.pad(z_BHTD[:, :, : length - k], (0, 0, k, 0)) if k else z_BHTD
        term = weight_HT[..., None] * delayed
        out = out + term if k else term
    return out
