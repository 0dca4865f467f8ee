"""ln f of any law written in numpy, its derivatives by jets; parameters may be fixed or tied.

Guarantee: derivatives are exact to second order; a positive parameter is searched in its logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.stats.jets import Jet, variables


@dataclass(frozen=True)
class Automatic:
    """θ (B, p) holds the free parameters; predict(parameters, columns) -> f.

    table (n, V): the columns `names`; place: parameter -> its place in θ, or None where `fixed`
    gives it; logs (by place): whether θ is the parameter's logarithm.
    """

    predict: Callable[[Mapping, Mapping], np.ndarray]
    table: np.ndarray
    names: tuple[str, ...]
    place: dict[str, int | None]
    fixed: dict[str, float]
    logs: tuple[bool, ...]

    @property
    def size(self) -> int:
        return len(self.logs)

    def _columns(self) -> dict[str, np.ndarray]:
        return dict(zip(self.names, self.table.T, strict=True))

    def _predicted(self, free: list):
        free = [np.exp(v) if log else v for v, log in zip(free, self.logs, strict=True)]
        given = {n: self.fixed[n] if at is None else free[at] for n, at in self.place.items()}
        return self.predict(given, self._columns())

    def log_value(self, theta: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            f = self._predicted([theta[:, i : i + 1] for i in range(self.size)])
            f = np.broadcast_to(f, (theta.shape[0], self.table.shape[0]))
            return np.where(f > 0, np.log(np.where(f > 0, f, 1.0)), np.nan)

    def derivatives(self, theta: np.ndarray):
        shape = (theta.shape[0], self.table.shape[0])
        with np.errstate(all="ignore"):
            found = self._predicted(variables(theta))
            if not isinstance(found, Jet):
                raise TypeError("the law does not depend on its parameters")
            found = np.log(found)
        jac = np.broadcast_to(found.first, (*shape, self.size))
        return np.broadcast_to(found.value, shape), jac, found.second

    def second(self, cache: np.ndarray, weight: np.ndarray) -> np.ndarray:
        full = np.broadcast_to(cache, (*weight.shape, self.size, self.size))
        return np.einsum("bn,bnpq->bpq", weight, full)
