"""The frequency response of a run's filters: measured through the operator, beside theory.

Theory: H(ω) = Σ_k c_k e^{-iωk}; for the shear 1 + γ (1 - e^{-iω}), gain 1 at DC and |1 + 2γ| at
the Nyquist frequency (arXiv 2602.04902).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from orchestrator.config import RunConfig, locate
from orchestrator.errors import UserError
from orchestrator.models.momentum import causal_filter
from orchestrator.models.taps import filter_taps

FREQUENCIES = 129
"""From DC to Nyquist."""


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


def responses(run: RunConfig) -> list[Response]:
    """The response of every stream and head of a run whose filter is not learned.

    Raises: UserError where it is learned.
    """
    m = run.model.momentum
    if m.learn != "none":
        raise UserError(f"run {run.run_id}: its filter is learned; its taps stand in its weights")
    operator = locate(m.operator, "model.momentum.operator") if m.operator else causal_filter
    taps_LSHK = filter_taps(run.model)
    kernel = taps_LSHK.shape[-1]
    omega = torch.linspace(0, torch.pi, FREQUENCIES, dtype=torch.float64)
    lag = torch.arange(kernel, dtype=torch.float64)
    waves = torch.exp(-1j * omega[:, None] * lag)
    length = 2 * (FREQUENCIES - 1)
    impulse = torch.zeros(1, run.model.heads, length, 1, dtype=torch.float64)
    impulse[:, :, kernel] = 1  # behind the start, where the first value is repeated
    out = []
    for layer, taps_SHK in enumerate(taps_LSHK):
        for stream, taps_HK in zip("qkv", taps_SHK, strict=False):
            spectrum = torch.fft.rfft(operator(impulse, taps_HK)[0, :, :, 0])
            measured = spectrum / torch.fft.rfft(impulse[0, :, :, 0])
            for head, taps_K in enumerate(taps_HK):
                theory = (waves * taps_K).sum(-1)
                out.append(Response(layer, stream, head, taps_K.tolist(), measured[head], theory))
    return out
