"""The three losses a law is fitted under, with their derivatives: Huber (fixed delta), LAD, L2.

Guarantee: `rho`, `psi` and `curvature` are the function, its first and its second derivative at
every residual, so that one optimiser serves all three. Residuals are ln y - ln f (relative
errors), therefore delta has no unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import InputError


@dataclass(frozen=True)
class Loss:
    """A loss on residuals. kind: "huber" | "lad" | "l2"; delta: Huber's threshold.

    Huber is r²/2 inside delta and delta(|r| - delta/2) outside (Hoffmann et al. 2022, eq. 3 with
    delta = 1e-3); L2 is r²/2. LAD is |r|; where it has to be smooth it is Huber at a small delta
    divided by that delta (see `smoothed`).
    """

    kind: str
    delta: float = np.inf

    @property
    def label(self) -> str:
        return f"huber:{self.delta:g}" if self.kind == "huber" else self.kind

    def smoothed(self, delta: float) -> Loss:
        """The Huber loss that this loss is optimised through, at threshold `delta`."""
        return Loss("huber", delta)

    def rho(self, r: np.ndarray) -> np.ndarray:
        if self.kind == "l2":
            return 0.5 * r * r
        size = np.abs(r)
        if self.kind == "lad":
            return size
        inside = np.minimum(size, self.delta)
        return inside * (size - 0.5 * inside)

    def psi(self, r: np.ndarray) -> np.ndarray:
        if self.kind == "l2":
            return r
        if self.kind == "lad":
            return np.sign(r)
        return np.clip(r, -self.delta, self.delta)

    def curvature(self, r: np.ndarray) -> np.ndarray:
        if self.kind == "l2":
            return np.ones_like(r)
        if self.kind == "lad":
            return np.zeros_like(r)
        return (np.abs(r) < self.delta).astype(float)


def parse_loss(text: str) -> Loss:
    """ "huber:1e-3", "lad" or "l2" -> Loss. Raises InputError on anything else."""
    name, _, tail = text.strip().lower().partition(":")
    if name in {"lad", "l2"} and not tail:
        return Loss(name)
    if name == "huber":
        try:
            delta = float(tail or "1e-3")
        except ValueError:
            delta = float("nan")
        if np.isfinite(delta) and delta > 0:
            return Loss("huber", delta)
    raise InputError(f"--loss {text!r}: allowed are huber:DELTA (DELTA > 0), lad, l2")


def noise_scale(loss: Loss, residuals: np.ndarray, parameters: int) -> float:
    """The factor E psi² / E psi' that turns a drop of the objective into a chi² / 2.

    For L2 this is the residual variance SSE/(n - p). For Huber and LAD with independent errors
    of one scale, 2 (S_profile - S_min) / factor is asymptotically chi²(1). The density at 0
    that LAD needs is a difference quotient of residual quantiles with Hall and Sheather's
    bandwidth (Koenker 2005, sec. 3.4), leaving out the residuals that an optimum interpolates.
    Residuals at rounding level are given the scale 1e-8, the digits a table rarely exceeds.
    """
    n = residuals.size
    spare = max(n - parameters, 1)
    floor = 1e-8
    if loss.kind == "l2":
        return max(float(np.sum(residuals**2)) / spare, floor**2)
    delta = 0.0 if loss.kind == "lad" else loss.delta
    scale = float(np.sqrt(np.mean(residuals**2)))
    if scale < floor:
        return floor if loss.kind == "lad" else floor**2
    inside = float(np.mean(np.abs(residuals) < delta)) if delta else 0.0
    if inside < 0.5:
        inside_kernel = 2 * max(delta, 1e-300) * _density_at_zero(residuals, parameters)
        slope = min(inside_kernel, 1.0) if delta else 2 * _density_at_zero(residuals, parameters)
    else:
        slope = inside
    square = float(np.sum(loss.psi(residuals) ** 2)) / spare if delta else n / spare
    return square / slope


def _density_at_zero(residuals: np.ndarray, parameters: int) -> float:
    """Density of the residuals at 0, from the spread of their central quantiles."""
    size = np.sort(np.abs(residuals))
    kept = residuals[np.abs(residuals) > size[min(parameters, size.size - 1) - 1]]
    if kept.size < 4:
        kept = residuals
    n = kept.size
    # Hall and Sheather at tau = 1/2: phi(0) = .3989, z_{.975} = 1.96
    half = float(np.clip(n ** (-1 / 3) * 1.96 ** (2 / 3) * (1.5 * 0.3989**2) ** (1 / 3), 0.1, 0.4))
    low, high = np.quantile(kept, [0.5 - half, 0.5 + half])
    return 2 * half / max(high - low, 1e-12)
