"""ln f for f = E + Σ_k A_k x_k^-α_k in logs: ln f = LSE(e, a_k - α_k (ln x_k - centre_k)).

Guarantee: f > 0 for every θ, derivatives are exact to second order, and columns of any magnitude
(1e-3 or 1e13) give the same conditioning, because ln x is centred.
θ = [e, a_1, α_1, a_2, α_2, ...], without e where the law has no floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PowerSum:
    """z (n, K): centred ln x per term; floor: whether the law has the constant E."""

    z: np.ndarray
    floor: bool

    @property
    def size(self) -> int:
        return 2 * self.z.shape[1] + int(self.floor)

    def _parts(self, theta: np.ndarray) -> np.ndarray:
        """The terms' logarithms, (B, K + floor, n)."""
        start = int(self.floor)
        a, alpha = theta[:, start::2], theta[:, start + 1 :: 2]
        terms = a[:, :, None] - alpha[:, :, None] * self.z.T
        if not self.floor:
            return terms
        e = np.broadcast_to(theta[:, :1, None], (theta.shape[0], 1, self.z.shape[0]))
        return np.concatenate([e, terms], axis=1)

    def log_value(self, theta: np.ndarray) -> np.ndarray:
        parts = self._parts(theta)
        top = parts.max(axis=1, keepdims=True)
        parts -= top
        return top[:, 0] + np.log(np.exp(parts, out=parts).sum(axis=1))

    def derivatives(self, theta: np.ndarray):
        parts = self._parts(theta)
        top = parts.max(axis=1, keepdims=True)
        share = np.exp(parts - top)
        total = share.sum(axis=1, keepdims=True)
        share /= total
        start = int(self.floor)
        jac = np.empty((theta.shape[0], self.z.shape[0], self.size))
        if self.floor:
            jac[:, :, 0] = share[:, 0]
        terms = share[:, start:].transpose(0, 2, 1)
        jac[:, :, start::2] = terms
        jac[:, :, start + 1 :: 2] = -terms * self.z
        return top[:, 0] + np.log(total[:, 0]), jac, jac

    def second(self, jac: np.ndarray, weight: np.ndarray) -> np.ndarray:
        out = -(np.swapaxes(jac, 1, 2) @ (jac * weight[..., None]))
        total = (weight[:, None] @ jac)[:, 0]
        start = int(self.floor)
        if self.floor:
            out[:, 0, 0] += total[:, 0]
        for k in range(self.z.shape[1]):
            i, j = start + 2 * k, start + 2 * k + 1
            out[:, i, i] += total[:, i]
            out[:, i, j] += total[:, j]
            out[:, j, i] += total[:, j]
            out[:, j, j] -= ((weight * self.z[:, k])[:, None] @ jac[:, :, j, None])[:, 0, 0]
        return out
