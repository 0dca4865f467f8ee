"""N* = coefficient · C^exponent: the best size per compute budget, then a power law through it.

Guarantee: each budget's optimum comes from its own (N, L) points alone, with the uncertainty of
what lies between them; an optimum at the edge of the sizes tried enters as a bound. Source:
Hoffmann et al. 2022, approach 2; the line after `facts` of Porian et al. 2024 is weighted, with
scatter between budgets beyond the optima's own errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import InputError
from analysis.estimators.loglog import Line, censored
from analysis.estimators.smooth_minimum import Minimum, minima

NEAR = 0.25  # a budget's points used: loss within 25 % of its best, at least LEAST of them
LEAST = 6
SAME_BUDGET = 0.12  # budgets closer than this in ln C are one nominal budget
INTERIOR = 3  # a slope needs this many budgets with an interior optimum


@dataclass(frozen=True)
class Budget:
    """One compute budget: nominal C (geometric mean), its points and its optimum (ln size)."""

    flops: float
    size: np.ndarray
    loss: np.ndarray
    used: np.ndarray
    minimum: Minimum


@dataclass(frozen=True)
class IsoflopFit:
    """line: ln size* on ln C; skipped: reason per budget left out; noise: SD of ln L."""

    size: str
    budgets: tuple[Budget, ...]
    line: Line
    skipped: dict[str, int]
    noise: float
    level: float

    @property
    def interior(self) -> int:
        return sum(b.minimum.kind == "interior" for b in self.budgets)


def predict(parameters: dict[str, float], columns: dict[str, np.ndarray]) -> np.ndarray:
    """The best size at C (n,), in the unit of the size that was mapped."""
    return parameters["coefficient"] * columns["C"] ** parameters["exponent"]


def group(flops: np.ndarray) -> np.ndarray:
    """Budget number of each row, ascending. Repeated values are budgets as they are; otherwise
    values without a gap of SAME_BUDGET in ln C between them are one nominal budget."""
    log_c = np.log(flops)
    order = np.argsort(log_c, kind="stable")
    exact = np.unique(np.round(log_c, 9))
    gap = 1e-6 if exact.size * 3 <= flops.size else SAME_BUDGET
    number = np.empty(flops.size, int)
    number[order] = np.concatenate([[0], np.cumsum(np.diff(log_c[order]) > gap)])
    return number


def fit(flops: np.ndarray, size: np.ndarray, loss: np.ndarray, name: str = "N",
        level: float = 0.95) -> IsoflopFit:
    """flops C, size (N parameters or D tokens), loss L: (n,), positive.

    Raises InputError where fewer than 3 budgets have an interior optimum.
    """
    number = group(flops)
    skipped: dict[str, int] = {}
    kept = []
    for at in range(number.max() + 1):
        rows = np.flatnonzero(number == at)
        x, y = np.log(size[rows]), np.log(loss[rows])
        if np.ptp(np.log(flops[rows])) > 3 * SAME_BUDGET:
            raise InputError("C does not fall into budgets: its values have no gaps between them")
        near = y <= y.min() + np.log1p(NEAR)
        if near.sum() < LEAST:
            near = np.argsort(np.argsort(y, kind="stable")) < LEAST
        if np.unique(x[near]).size < 4:
            skipped["fewer than 4 sizes"] = skipped.get("fewer than 4 sizes", 0) + 1
            continue
        kept.append((float(np.exp(np.log(flops[rows]).mean())), rows, near))
    if len(kept) < INTERIOR:
        raise InputError(
            f"{len(kept)} of {number.max() + 1} budgets have the 4 sizes that an optimum needs; "
            f"a slope needs {INTERIOR} budgets"
        )
    found, shared = minima([(np.log(size[r][n]), np.log(loss[r][n])) for _, r, n in kept])
    budgets = tuple(Budget(c, size[r], loss[r], n, m)
                    for (c, r, n), m in zip(kept, found, strict=True))
    flat = [b for b in budgets if b.minimum.kind == "none"]
    if flat:
        skipped["no minimum"] = len(flat)
        budgets = tuple(b for b in budgets if b.minimum.kind != "none")
    interior = sum(b.minimum.kind == "interior" for b in budgets)
    if interior < INTERIOR:
        raise InputError(
            f"{interior} of {len(kept)} budgets have an optimum inside the sizes tried; "
            f"a slope needs {INTERIOR}: try smaller or larger sizes at each budget"
        )
    line = censored(
        np.log([b.flops for b in budgets]),
        np.array([b.minimum.x if b.minimum.x is not None else b.minimum.bound for b in budgets]),
        np.array([b.minimum.sd or 0.0 for b in budgets]),
        np.array([{"interior": 0, "left": -1, "right": 1}[b.minimum.kind] for b in budgets]),
    )
    return IsoflopFit(name, budgets, line, skipped, shared["noise"], level)
