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
from analysis.stats.censored_line import Estimates, Regression, interval, regress
from analysis.stats.minima import Minimum, minima
from analysis.stats.parabolas import parabolas
from analysis.text import number

NEAR = 0.25  # a budget's points used: loss within 25 % of its best, at least LEAST of them
LEAST = 6
LEAST_SIZES = 4  # a budget's optimum needs this many sizes
WIDEST = 0.25  # the largest spread of one budget in ln C
TOLERANCES = (1e-6, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12)
MINIMA = {"spline": minima, "parabola": parabolas}
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
    """line: ln size* on ln C, [1, ln C] its design; skipped: count by reason of what is left out;
    noise: SD of ln L."""

    size: str
    budgets: tuple[Budget, ...]
    line: Regression
    skipped: dict[str, int]
    noise: float
    level: float
    warnings: tuple[str, ...] = ()

    def intervals(self) -> list[tuple[float, float, float]]:
        """Estimate, low and high of ln coefficient and of the exponent; infinite where open."""
        optima, log_c = optima_of(self.budgets)
        return [interval(optima, design_at(log_c), i, self.level) for i in (0, 1)]

    def size_at(self, flops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best size at C (n,), with the line's pointwise band."""
        row = design_at(np.log(flops))
        low, high = self.line.band(row, self.level)
        return np.exp(row @ self.line.coefficients), np.exp(low), np.exp(high)


def design_at(log_c: np.ndarray) -> np.ndarray:
    """[1, ln C]."""
    return np.column_stack([np.ones_like(log_c), log_c])


def optima_of(budgets: tuple[Budget, ...]) -> tuple[Estimates, np.ndarray]:
    """ln size* of each budget, or its bound, and ln C."""
    found = [b.minimum for b in budgets]
    known = [m.sd for m in found if m.kind == "interior"]
    return Estimates(
        np.array([m.x if m.kind == "interior" else np.nan for m in found], float),
        # a bound's own error: what an optimum of these budgets typically has
        np.maximum([m.sd if m.sd is not None else np.median(known) for m in found], 1e-6),
        np.array([m.bound if m.kind == "right" else -np.inf for m in found], float),
        np.array([m.bound if m.kind == "left" else np.inf for m in found], float),
    ), np.log([b.flops for b in budgets])


def predict(parameters: dict[str, float], columns: dict[str, np.ndarray]) -> np.ndarray:
    """The best size at C (n,), in the unit of the size that was mapped."""
    return parameters["coefficient"] * columns["C"] ** parameters["exponent"]


def group(flops: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Budget number of each row, ascending; -1 for rows that belong to none.

    A budget is a run of values of C without a gap in ln C above a tolerance, no wider than
    WIDEST and with LEAST_SIZES sizes; of the tolerances tried the one that places most rows is
    taken, so that nominal budgets reached only nearly are found beside runs off any budget.
    """
    log_c = np.log(flops)
    order = np.argsort(log_c, kind="stable")
    best, most = np.full(flops.size, -1), 0
    for gap in TOLERANCES:
        part = np.empty(flops.size, int)
        part[order] = np.concatenate([[0], np.cumsum(np.diff(log_c[order]) > gap)])
        number, count = np.full(flops.size, -1), 0
        for at in range(part.max() + 1):
            rows = part == at
            if np.ptp(log_c[rows]) <= WIDEST and np.unique(size[rows]).size >= LEAST_SIZES:
                number[rows] = count
                count += 1
        if count >= INTERIOR and (number >= 0).sum() > most:
            best, most = number, int((number >= 0).sum())
    return best


def _warnings(budgets: tuple[Budget, ...], shared: dict) -> tuple[str, ...]:
    """What speaks against a parabola on these sizes (nothing for a spline)."""
    if "cubic" not in shared:
        return ()
    said = []
    if shared["cubic"] is not None and shared["cubic"] < 0.01:
        wide = np.median([b.size[b.used].max() / b.size[b.used].min() for b in budgets])
        said.append(
            f"the loss bends unlike a parabola (p = {number(shared['cubic'], 2)} of a cubic term; sizes "
            f"span {number(wide)} times): the optima may be off, compare --minimum spline"
        )
    off = 0
    for b in budgets:
        x = np.log(b.size[b.used])
        at = b.minimum.x
        off += at is None or abs(at - (x.min() + x.max()) / 2) > np.ptp(x) / 4
    if 3 * off > len(budgets):
        said.append(f"{off} of {len(budgets)} optima lie off the centre of the sizes tried")
    return tuple(said)


def fit(
    flops: np.ndarray,
    size: np.ndarray,
    loss: np.ndarray,
    name: str = "N",
    level: float = 0.95,
    minimum: str = "spline",
) -> IsoflopFit:
    """flops C, size (N parameters or D tokens), loss L: (n,), positive; minimum: one of MINIMA.

    Raises InputError where fewer than 3 budgets have an interior optimum.
    """
    number = group(flops, size)
    if number.max() + 1 < INTERIOR:
        raise InputError(
            f"C does not fall into {INTERIOR} budgets with {LEAST_SIZES} sizes each: an optimum "
            f"needs {LEAST_SIZES} sizes at (nearly) one C"
        )
    skipped: dict[str, int] = {}
    if (number < 0).any():
        skipped[f"at no budget with {LEAST_SIZES} sizes"] = int((number < 0).sum())
    kept = []
    for at in range(number.max() + 1):
        rows = np.flatnonzero(number == at)
        x, y = np.log(size[rows]), np.log(loss[rows])
        near = y <= y.min() + np.log1p(NEAR)
        if near.sum() < LEAST:
            near = np.argsort(np.argsort(y, kind="stable")) < LEAST
        if np.unique(x[near]).size < LEAST_SIZES:
            near = np.ones(rows.size, bool)
        kept.append((float(np.exp(np.log(flops[rows]).mean())), rows, near))
    found, shared = MINIMA[minimum]([(np.log(size[r][n]), np.log(loss[r][n])) for _, r, n in kept])
    budgets = tuple(
        Budget(c, size[r], loss[r], n, m) for (c, r, n), m in zip(kept, found, strict=True)
    )
    flat = [b for b in budgets if b.minimum.kind == "none"]
    if flat:
        rows = sum(b.size.size for b in flat)
        skipped[f"at {len(flat)} budgets whose loss has no minimum"] = rows
        budgets = tuple(b for b in budgets if b.minimum.kind != "none")
    interior = sum(b.minimum.kind == "interior" for b in budgets)
    if interior < INTERIOR:
        raise InputError(
            f"{interior} of {len(kept)} budgets have an optimum inside the sizes tried; "
            f"a slope needs {INTERIOR}: try smaller or larger sizes at each budget"
        )
    far = int(sum((~b.used).sum() for b in budgets))
    if far:
        skipped[f"more than {NEAR:.0%} above the best loss of their budget"] = far
    optima, log_c = optima_of(budgets)
    line = regress(optima, design_at(log_c))
    return IsoflopFit(
        name, budgets, line, skipped, shared["noise"], level, _warnings(budgets, shared)
    )
