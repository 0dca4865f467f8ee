"""The frequency response of a run's filters: measured, beside theory.

Theory: H(ω) = Σ_k c_k e^{-iωk}; for the shear 1 + γ (1 - e^{-iω}), gain 1 at DC and |1 + 2γ| at
the Nyquist frequency (arXiv 2602.04902). Measured twice: through the operator by an impulse, and
from the queries and keys of a trained model before and after it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.errors import UserError
from orchestrator.models.momentum import causal_filter
from orchestrator.models.taps import filter_taps
from orchestrator.models.trace import Layer
from orchestrator.parts.own import locate
from orchestrator.probe.trained import Trained

FREQUENCIES = 129
"""From DC to Nyquist."""
SPARE_LAGS = 2
"""Lags beyond the filter's own in which a trained model's sequences may show a response."""


@dataclass(frozen=True)
class Response:
    """The response of one filtered stream of one head."""

    layer: int
    stream: str
    head: int
    taps: list[float]
    measured: Tensor
    """(FREQUENCIES,) complex128, at ω = 0 ... π."""
    theory: Tensor
    """The same by formula."""

    @property
    def error(self) -> float:
        """Largest distance of the two."""
        return (self.measured - self.theory).abs().max().item()

    def row(self) -> dict[str, object]:
        """Plain data: taps, gains at DC and Nyquist, and the largest distance from theory."""
        return {
            "layer": self.layer, "stream": self.stream, "head": self.head, "taps": self.taps,
            "gain_dc": self.measured[0].abs().item(),
            "gain_nyquist": self.measured[-1].abs().item(), "error": self.error,
        }  # fmt: skip


def frequencies() -> Tensor:
    """(FREQUENCIES,) radians a token, 0 ... π."""
    return torch.linspace(0, torch.pi, FREQUENCIES, dtype=torch.float64)


def theory(taps_K: Tensor) -> Tensor:
    """(..., FREQUENCIES) complex128: H(ω) of taps (..., K)."""
    lag = torch.arange(taps_K.shape[-1], dtype=torch.float64)
    waves_KF = torch.exp(-1j * lag[:, None] * frequencies())
    return taps_K.to(waves_KF.dtype) @ waves_KF


def responses(run: RunConfig, taps_LSHK: Tensor | None = None) -> list[Response]:
    """The response of every stream and head to an impulse through the run's operator.

    taps_LSHK: those in force; by default the config's. Raises: UserError where they are learned
    and not given.
    """
    m = run.model.momentum
    if taps_LSHK is None:
        if m.learn != "none":
            raise UserError(
                f"run {run.run_id}: its filter is learned; its taps stand in its weights"
            )
        taps_LSHK = filter_taps(run.model)
    operator = locate(m.operator, "model.momentum.operator") if m.operator else causal_filter
    kernel, length = taps_LSHK.shape[-1], 2 * (FREQUENCIES - 1)
    impulse = torch.zeros(1, run.model.heads, length, 1, dtype=torch.float64)
    impulse[:, :, kernel] = 1  # behind the start, where the first value is repeated
    out = []
    for layer, taps_SHK in enumerate(taps_LSHK):
        for stream, taps_HK in zip("qkv", taps_SHK, strict=False):
            spectrum = torch.fft.rfft(operator(impulse, taps_HK)[0, :, :, 0])
            measured_HF = spectrum / torch.fft.rfft(impulse[0, :, :, 0])
            expected_HF = theory(taps_HK)
            for head, taps_K in enumerate(taps_HK):
                found = measured_HF[head], expected_HF[head]
                out.append(Response(layer, stream, head, taps_K.tolist(), *found))
    return out


def identified_taps(before_BHTD: Tensor, after_BHTD: Tensor, lags: int) -> Tensor:
    """Taps (H, lags) that explain a filter's output by its input, from the sequences alone.

    The Wiener-Hopf equations: cross-correlation of output and input over the input's
    auto-correlation, on positions behind the start, all of whose lags lie in the sequence. This
    is cross-spectrum over auto-spectrum without the leakage of a short window's ends, which at
    T = 15 is larger than what is to be shown (docs/notebook.md, "Forensics"). NaN where the
    sequences are shorter than `lags`.
    """
    heads, length = before_BHTD.shape[1:3]
    if length < lags:
        return torch.full((heads, lags), torch.nan, dtype=torch.float64)
    past_HKN = torch.stack([
        before_BHTD[:, :, lags - 1 - k : length - k].transpose(0, 1).flatten(1)
        for k in range(lags)
    ], 1)  # fmt: skip
    out_HN = after_BHTD[:, :, lags - 1 :].transpose(0, 1).flatten(1)
    auto_HKK = past_HKN @ past_HKN.transpose(1, 2)
    cross_HK1 = past_HKN @ out_HN[..., None]
    return (torch.linalg.pinv(auto_HKK, hermitian=True) @ cross_HK1)[..., 0]


def response_rows(model: Trained, layers: list[Layer]) -> pd.DataFrame:
    """Magnitude and phase (radians) by theory, impulse and sequences, a row a frequency.

    omega in radians a token; error_*: distance of the complex response from theory.
    """
    lags = model.taps_LSHK.shape[-1] + SPARE_LAGS
    measured = {
        (number, stream): theory(identified_taps(before, after, lags))
        for number, layer in enumerate(layers)
        for stream, before, after in zip("qkv", layer.before, layer.after, strict=False)
    }
    frames = []
    for r in responses(model.run, model.taps_LSHK):
        sequences = measured[r.layer, r.stream][r.head]
        columns = {
            "layer": r.layer, "stream": r.stream, "head": r.head, "taps": json.dumps(r.taps),
            "omega": frequencies(),
        }  # fmt: skip
        for name, H in (("theory", r.theory), ("impulse", r.measured), ("sequences", sequences)):
            columns |= {f"magnitude_{name}": H.abs(), f"phase_{name}": H.angle()}
        columns["error_impulse"] = (r.measured - r.theory).abs()
        columns["error_sequences"] = (sequences - r.theory).abs()
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
