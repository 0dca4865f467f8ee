"""How far the content q and the momentum p of a trained head lie in bands of their own.

The paper's abstract (arXiv 2602.04902) claims that DC (semantic) and AC (mechanistic) signals
segregate into orthogonal frequency bands, and gives no number. Ours: the DC signal is the filter's
input q_t, the AC signal the momentum p_t = q_t - q_{t-1} that it adds; s_q and s_p are their power
spectra along the sequence, over all dimensions of a head, each scaled to sum 1.

- overlap: Σ_ω min(s_q, s_p), the share of energy that no division into bands can tell apart:
  0 for bands that are orthogonal, 1 for one and the same spectrum.
- overlap_flat: the overlap that spectrally flat content would have at this length, whatever was
  learned, since p is a filtered q: s_p ∝ s_q |1 - e^{-iω}|². 1 - 1/π = .682 on long sequences.
- cosine: Σ q·p / √(Σ q² Σ p²), their orthogonality as signals; flat content has √½.
- low_content, low_momentum, low_filtered: the shares of the energy of q, p and the filter's output
  below ω = π/2, where |1 - e^{-iω}|² has half its maximum; what is not low is high.

Short sequences leak: Hann-windowed stretches of N tokens blur a spectrum over about 4π/N, so an
overlap of exactly 0 can't be seen at N = 14. 95 % intervals: bootstrap over sequences.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from orchestrator.models.trace import Layer
from orchestrator.probe.spectra import SEGMENT, behind_start, periodograms, taper
from orchestrator.probe.trained import Trained

RESAMPLES = 400
"""Bootstrap samples of the sequences."""


def band_rows(model: Trained, layers: list[Layer]) -> pd.DataFrame:
    """quantity, value, low, high: a row a layer, stream, head and quantity."""
    first = max(behind_start(model.taps_LSHK, model.run.task.length), 1)
    rows = []
    for number, layer in enumerate(layers):
        for stream, before, after in zip("qkv", layer.before, layer.after, strict=False):
            for quantity, found_HR in quantities(before, after, first).items():
                for head, found_R in enumerate(found_HR):
                    low, high = found_R[1:].quantile(torch.tensor([0.025, 0.975]).double())
                    rows.append({
                        "layer": number, "stream": stream, "head": head, "quantity": quantity,
                        "value": found_R[0].item(), "low": low.item(), "high": high.item(),
                    })  # fmt: skip
    return pd.DataFrame(rows)


def quantities(before_BHTD: Tensor, after_BHTD: Tensor, first: int) -> dict[str, Tensor]:
    """Each quantity (H, 1 + RESAMPLES): of all sequences, then of every bootstrap sample."""
    momentum = before_BHTD - before_BHTD.roll(1, 2)  # position 0 is not used: first is 1 or more
    counts_RB = _counts(before_BHTD.shape[0])
    content, moved, filtered = (
        _resampled(periodograms(z, first).sum(2), counts_RB)
        for z in (before_BHTD, momentum, after_BHTD)
    )
    q, p = before_BHTD[:, :, first:], momentum[:, :, first:]
    inner, q_square, p_square = (
        _resampled((a * b).sum((2, 3))[..., None], counts_RB)[..., 0]
        for a, b in ((q, p), (q, q), (p, p))
    )
    flat_HR = torch.full_like(inner, flat_overlap(before_BHTD.shape[2] - first))
    shares = [s / s.sum(-1, keepdim=True) for s in (content, moved, filtered)]
    low_F = _low_band()
    return {
        "overlap": torch.minimum(shares[0], shares[1]).sum(-1),
        "overlap_flat": flat_HR,
        "cosine": inner / (q_square * p_square).sqrt(),
        "low_content": shares[0] @ low_F,
        "low_momentum": shares[1] @ low_F,
        "low_filtered": shares[2] @ low_F,
    }


def flat_overlap(positions: int) -> float:
    """Overlap of white q with its own difference, in expectation, leakage included."""
    window = taper(positions)
    neighbours = (window[1:] * window[:-1]).sum() / window.square().sum()
    omega = 2 * torch.pi * torch.fft.fftfreq(SEGMENT, dtype=torch.float64)
    return (1 - neighbours * omega.cos()).clamp(max=1).mean().item()


def _counts(sequences: int) -> Tensor:
    """(1 + RESAMPLES, B): how often each sequence counts; once each in the first row."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(sequences, (RESAMPLES, sequences), generator=generator)
    counts = torch.zeros(RESAMPLES, sequences, dtype=torch.float64)
    counts.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    return torch.cat([torch.ones(1, sequences, dtype=torch.float64), counts])


def _resampled(x_BHF: Tensor, counts_RB: Tensor) -> Tensor:
    """(H, R, F): sums over the sequences of every sample."""
    return torch.einsum("rb,bhf->hrf", counts_RB, x_BHF)


def _low_band() -> Tensor:
    """(SEGMENT,): 1 below π/2, a half at it, 0 above."""
    omega = torch.fft.fftfreq(SEGMENT, dtype=torch.float64).abs() * 4  # in units of π/2
    return (omega < 1).double() + 0.5 * (omega == 1)
