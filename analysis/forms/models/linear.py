"""Two linear models in the optimiser's terms: ln f = X θ and f = X θ; the simpler laws are these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LogLinear:
    """ln f = design·θ; design (n, p). Constant, exponential and power laws."""

    design: np.ndarray

    @property
    def size(self) -> int:
        return self.design.shape[1]

    def log_value(self, theta: np.ndarray) -> np.ndarray:
        return theta @ self.design.T

    def derivatives(self, theta: np.ndarray):
        jac = np.broadcast_to(self.design, (theta.shape[0], *self.design.shape))
        return self.log_value(theta), jac, None

    def second(self, cache: object, weight: np.ndarray) -> np.ndarray:
        return np.zeros((weight.shape[0], self.size, self.size))


@dataclass(frozen=True)
class Linear:
    """f = design·θ, positive where it is defined; design (n, p). The logarithmic law."""

    design: np.ndarray

    @property
    def size(self) -> int:
        return self.design.shape[1]

    def log_value(self, theta: np.ndarray) -> np.ndarray:
        f = theta @ self.design.T
        return np.where(f > 0, np.log(np.where(f > 0, f, 1.0)), np.nan)

    def derivatives(self, theta: np.ndarray):
        f = theta @ self.design.T
        jac = self.design / f[..., None]
        return np.log(f), jac, jac

    def second(self, jac: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return -(np.swapaxes(jac, 1, 2) @ (jac * weight[..., None]))
