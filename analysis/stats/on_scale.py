"""A model of ln f seen on another scale: f itself instead of ln f, rows weighted by their precision.

Guarantee: derivatives are exact, so that search, profile and bootstrap run on the scaled model as on
any other; residuals are sqrt(weight) x (y - f) or sqrt(weight) x (ln y - ln f).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.stats.optimise import Model


@dataclass(frozen=True)
class OnScale:
    """root (n,): the square root of each row's weight; linear: f in units of `unit`, else ln f."""

    model: Model
    root: np.ndarray
    linear: bool
    unit: float = 1.0

    @property
    def size(self) -> int:
        """The number of parameters."""
        return self.model.size

    def target(self, log_y: np.ndarray) -> np.ndarray:
        """ln y (n,), in the model's own unit, on this scale."""
        return self.root * (np.exp(log_y) * self.unit if self.linear else log_y)

    def log_value(self, theta: np.ndarray) -> np.ndarray:
        """(B, n): the model's value on this scale."""
        value = self.model.log_value(theta)
        if self.linear:
            with np.errstate(over="ignore"):
                value = np.exp(value) * self.unit
        return self.root * value

    def derivatives(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, object]:
        """The value (B, n), its Jacobian (B, n, p), and what `second` needs."""
        log_f, jac, cache = self.model.derivatives(theta)
        if not self.linear:
            return self.root * log_f, self.root[:, None] * jac, (cache, None, jac)
        with np.errstate(over="ignore"):
            f = np.exp(log_f) * self.unit
        return self.root * f, (self.root * f)[..., None] * jac, (cache, f, jac)

    def second(self, cache: object, weight: np.ndarray) -> np.ndarray:
        """Σ_i weight_bi ∇² of the value, (B, p, p): f (∇² ln f + ∇ ln f ∇ ln fᵀ) for f itself."""
        inner, f, jac = cache
        pull = weight * self.root
        if not self.linear:
            return self.model.second(inner, pull)
        pull = pull * f
        return self.model.second(inner, pull) + np.swapaxes(jac, 1, 2) @ (jac * pull[..., None])
