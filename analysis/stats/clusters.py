"""Rows of one unit (the checkpoints of one run) are not independent: the variance of an estimate when
only the units are, and how many of them it rests on.

CR3: every unit's residuals are inflated by the leverage that the unit has (Bell and McCaffrey 2002;
about the jackknife over units); t with as many degrees of freedom as units carry the estimate.
"""

from __future__ import annotations

import numpy as np


def variance(
    jac: np.ndarray, row: np.ndarray, psi: np.ndarray, unit: np.ndarray
) -> tuple[float, float]:
    """(variance of direction·θ, degrees of freedom). jac (n, p); row (p,): the direction
    times the inverse of the objective's curvature; psi (n,): the residuals' pull; unit (n,)
    0..G-1."""
    outer = jac.T @ jac
    count = unit.max() + 1
    pulls, carried = np.zeros(count), np.zeros(count)
    for g in range(count):
        mine = jac[unit == g]
        score = mine.T @ psi[unit == g]
        rest = outer - mine.T @ mine
        # (I - H_gg)^-1 psi, by Woodbury: only p x p systems whatever the unit's size
        inflated = score + mine.T @ mine @ np.linalg.pinv(rest, rcond=1e-10) @ score
        pulls[g] = row @ inflated
        carried[g] = float((mine @ row).sum()) ** 2
    total = carried.sum()
    df = total**2 / max(float((carried**2).sum()), 1e-300) if total > 0 else count - 1
    size = float((count - 1) / count * (pulls**2).sum())
    return size, float(np.clip(df, 1.0, count - 1))


def design_effect(psi: np.ndarray, unit: np.ndarray) -> float:
    """How much more a sum of psi (n,) varies than if all rows were independent, at least 1 (Kish)."""
    total = np.bincount(unit, psi)
    return max(float((total**2).sum()) / max(float((psi**2).sum()), 1e-300), 1.0)
