"""Power spectra along the sequence of queries and keys before and after the filter.

RoPE pair i (dimensions i and i + D/2) is one complex signal z = x_i + j x_{i+D/2}, which RoPE turns
by θ_i a token: a content that stays constant is not DC but a tone at ω = θ_i, and the filter gives
it the gain |H(θ_i)|, for the shear |1 + γ (1 - e^{-iθ_i})|.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from orchestrator.config import Model
from orchestrator.models.trace import Layer
from orchestrator.probe.trained import Trained

SEGMENT = 64
"""Longest stretch that is transformed at once, and the number of frequencies."""


def periodograms(z_BHTD: Tensor, first: int) -> Tensor:
    """(B, H, D, SEGMENT): power at ω = 2π fftfreq(SEGMENT), real or complex signals along T.

    Welch's estimate a sequence (Welch 1967): positions from `first` on, in half-overlapping
    Hann-windowed stretches of up to SEGMENT tokens, padded with zeros. White noise of unit
    variance has power 1 everywhere.
    """
    z_BHDN = z_BHTD[:, :, first:].transpose(2, 3)
    window = taper(z_BHDN.shape[-1])
    stretches = z_BHDN.unfold(-1, len(window), max(1, len(window) // 2))
    spectrum = torch.fft.fft(stretches * window, n=SEGMENT)
    return spectrum.abs().square().mean(-2) / window.square().sum()


def taper(positions: int) -> Tensor:
    """Hann window of a stretch, without its two zeros, which a short sequence can't spare."""
    return torch.hann_window(min(positions, SEGMENT) + 1, dtype=torch.float64)[1:]


def behind_start(taps_LSHK: Tensor, length: int) -> int:
    """First position at which no value from before the sequence counts; its middle at most."""
    return min(taps_LSHK.shape[-1] - 1, length // 2)


def rotation_rates(model: Model) -> list[float]:
    """θ_i of each pair at the filter, radians a token; 0 where the filter comes before RoPE."""
    pairs = model.size_of_head // 2
    if model.rope_base is None or model.momentum.placement == "pre_rope":
        return [0.0] * pairs
    return [model.rope_base ** (-2 * i / model.size_of_head) for i in range(pairs)]


def spectra_rows(model: Trained, layers: list[Layer]) -> pd.DataFrame:
    """Power before and after, a row a layer, stream, head, pair and frequency in [-π, π)."""
    first = behind_start(model.taps_LSHK, model.run.task.length)
    rates = rotation_rates(model.run.model)
    omega = torch.fft.fftshift(2 * torch.pi * torch.fft.fftfreq(SEGMENT, dtype=torch.float64))
    frames = []
    for number, layer in enumerate(layers):
        for stream, *both in zip("qkv", layer.before, layer.after, strict=False):
            before, after = (
                torch.fft.fftshift(periodograms(_pairs(z), first).mean(0), -1) for z in both
            )
            head, pair, at = (
                index.flatten()
                for index in torch.meshgrid(*map(torch.arange, before.shape), indexing="ij")
            )
            frames.append(pd.DataFrame({
                "layer": number, "stream": stream, "head": head, "pair": pair,
                "theta": torch.tensor(rates, dtype=torch.float64)[pair], "omega": omega[at],
                "power_before": before.flatten().float(), "power_after": after.flatten().float(),
            }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _pairs(z_BHTD: Tensor) -> Tensor:
    """(B, H, T, D/2) complex; an odd head_dim's last dimension is left out."""
    half = z_BHTD.shape[-1] // 2
    return torch.complex(z_BHTD[..., :half], z_BHTD[..., half : 2 * half])
