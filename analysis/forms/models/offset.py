"""ln f for f = E + c x^k with E and c of either sign, smooth through k = 0.

Guarantee: the fit is well-conditioned where the law is not: `BoxCox` writes f = m + s (x^k - 1)/k,
whose k -> 0 limit is the logarithm, so a floor running to -∞ is an interior point of the search.
`SignedOffset` is the same curve in the coordinates that are reported (E, ln|c|, k).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SERIES = 0.02  # below this |k z| the quotients are summed as power series


def _quotients(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(e^t - 1)/t and its first two derivatives."""
    near = np.abs(t) < SERIES
    safe = np.where(near, 1.0, t)
    grown = np.exp(safe)
    q0 = np.where(
        near, 1 + t / 2 + t**2 / 6 + t**3 / 24 + t**4 / 120 + t**5 / 720, np.expm1(safe) / safe
    )
    q1 = np.where(
        near,
        0.5 + t / 3 + t**2 / 8 + t**3 / 30 + t**4 / 144 + t**5 / 840,
        (grown * (safe - 1) + 1) / safe**2,
    )
    q2 = np.where(
        near,
        1 / 3 + t / 4 + t**2 / 10 + t**3 / 36 + t**4 / 168 + t**5 / 960,
        (grown * (safe**2 - 2 * safe + 2) - 2) / safe**3,
    )
    return q0, q1, q2


@dataclass(frozen=True)
class BoxCox:
    """θ = (m, s, k): f = m + s (e^{kz} - 1)/k; z (n,) is centred ln x, f in units of scale."""

    z: np.ndarray
    size: int = 3

    def _value(self, theta):
        m, s, k = (theta[:, i : i + 1] for i in range(3))
        q0, q1, q2 = _quotients(k * self.z)
        return m + s * self.z * q0, q0, q1, q2

    def log_value(self, theta: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            f = self._value(theta)[0]
            return np.where(f > 0, np.log(np.where(f > 0, f, 1.0)), np.nan)

    def derivatives(self, theta: np.ndarray):
        with np.errstate(all="ignore"):
            f, q0, q1, q2 = self._value(theta)
        s = theta[:, 1:2]
        z = self.z
        slope = np.stack([np.ones_like(f), z * q0, s * z**2 * q1], axis=-1)
        jac = slope / f[..., None]
        return np.log(f), jac, (f, jac, z**2 * q1, s * z**3 * q2)

    def second(self, cache, weight: np.ndarray) -> np.ndarray:
        f, jac, cross, bent = cache
        out = -(np.swapaxes(jac, 1, 2) @ (jac * weight[..., None]))
        out[:, 1, 2] += (weight * cross / f).sum(axis=1)
        out[:, 2, 1] = out[:, 1, 2]
        out[:, 2, 2] += (weight * bent / f).sum(axis=1)
        return out


@dataclass(frozen=True)
class SignedOffset:
    """θ = (E, l, k): f = E + sign·e^{l + k z}; the coordinates of the profiles."""

    z: np.ndarray
    sign: float
    size: int = 3

    def _value(self, theta):
        with np.errstate(over="ignore"):
            term = self.sign * np.exp(theta[:, 1:2] + theta[:, 2:3] * self.z)
        return theta[:, :1] + term, term

    def log_value(self, theta: np.ndarray) -> np.ndarray:
        f, _ = self._value(theta)
        with np.errstate(invalid="ignore"):
            return np.where(f > 0, np.log(np.where(f > 0, f, 1.0)), np.nan)

    def derivatives(self, theta: np.ndarray):
        f, term = self._value(theta)
        share = term / f
        jac = np.stack([1 / f, share, share * self.z], axis=-1)
        return np.log(f), jac, (jac, share)

    def second(self, cache, weight: np.ndarray) -> np.ndarray:
        jac, share = cache
        out = -(np.swapaxes(jac, 1, 2) @ (jac * weight[..., None]))
        pulled = weight * share
        mixed = (pulled * self.z).sum(axis=1)
        out[:, 1, 1] += pulled.sum(axis=1)
        out[:, 1, 2] += mixed
        out[:, 2, 1] += mixed
        out[:, 2, 2] += (pulled * self.z**2).sum(axis=1)
        return out


def starts(z: np.ndarray, y: np.ndarray, log_slope: float) -> np.ndarray:
    """(S, 3) starts for BoxCox: the relative-LS m, s for each k of a grid, where f > 0.

    y (n,) in units of its geometric mean; log_slope starts the law without offset. For each k
    (m, s) is linear least squares weighted by 1/y², the ends of ln x weighted in turn as well,
    so that a floor far below or above the data is met from both sides.
    """
    grid = np.concatenate([-np.geomspace(4.0, 0.01, 40), [1e-4], np.geomspace(0.01, 4.0, 40)])
    found = [(1.0, log_slope, log_slope)]
    for k in grid:
        q0 = _quotients(k * z)[0]
        columns = np.stack([np.ones_like(z), z * q0], axis=1) / y[:, None]
        size = np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
        with np.errstate(all="ignore"):
            m, s = np.linalg.lstsq(columns / size, np.ones_like(z), rcond=None)[0] / size
            smallest = np.min(m + s * z * q0)
        if np.isfinite(smallest) and smallest > 0:
            found.append((m, s, k))
    return np.array(found)


def thin(theta: np.ndarray, value: np.ndarray, count: int = 8) -> np.ndarray:
    """Of starts along k (ascending after the first), the local minima of `value`, best first."""
    inner = value[1:]
    padded = np.concatenate([[np.inf], inner, [np.inf]])
    local = 1 + np.flatnonzero((inner <= padded[:-2]) & (inner <= padded[2:]))
    chosen = list(dict.fromkeys([0, *local[np.argsort(value[local])], *np.argsort(value)]))
    return theta[chosen[:count]]
