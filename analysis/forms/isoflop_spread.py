"""How far an isoflop line may be off, beyond its own interval: units that budgets share, budgets drawn
anew, each budget predicted from the smaller ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from analysis.errors import InputError
from analysis.forms import isoflop
from analysis.stats.roll_out import roll_out

LEAST = 4  # interior optima that an interval needs


def over_units(
    columns: dict[str, np.ndarray], size: str, minimum: str, unit: np.ndarray, level: float
) -> tuple[float, float]:
    """Half-widths of ln coefficient and exponent by the jackknife over units, whose rows stand at
    several budgets; infinite where leaving one out leaves no slope."""
    drawn = []
    for left_out in range(int(unit.max()) + 1):
        kept = unit != left_out
        try:
            found = isoflop.fit(*(columns[n][kept] for n in ("C", size, "L")), size, level, minimum)
        except InputError:
            return np.inf, np.inf
        drawn.append(found.line.coefficients)
    drawn = np.array(drawn)
    count = len(drawn)
    variance = (count - 1) / count * ((drawn - drawn.mean(0)) ** 2).sum(0)
    reach = float(stats.t.ppf(0.5 + level / 2, count - 1))
    return tuple(float(v) for v in reach * np.sqrt(variance))


def rolled_out(found: isoflop.IsoflopFit) -> dict[str, Any] | None:
    """Every budget's best size predicted from the smaller budgets: steps and the rms error of ln size;
    None with too few. An optimum that is a bound is no target."""
    optima, log_c = isoflop.optima_of(found.budgets)
    steps = roll_out(optima, isoflop.design_at(log_c), log_c, LEAST)
    if not steps:
        return None
    shown = [{"C": float(np.exp(log_c[s.at])), "error": s.error, "inside": s.inside} for s in steps]
    return {"variable": "C", "steps": shown,
            "rms": float(np.sqrt(np.mean([s.error**2 for s in steps]))),
            "inside": sum(s.inside for s in steps)}  # fmt: skip


def resampled(found, x, y, exact, count, seed) -> np.ndarray:
    """(count, 2) of (intercept, slope): budgets drawn anew, each optimum within its own error."""
    random = np.random.default_rng(seed)
    sd = np.array([b.minimum.sd or 0.0 for b in found.budgets])[exact]
    weight = 1 / (sd**2 + found.line.tau**2 + 1e-12)
    result = []
    while len(result) < count:
        at = random.integers(0, x.size, x.size)
        if np.unique(x[at]).size < 3:
            continue
        slope, intercept = np.polyfit(x[at], y[at], 1, w=np.sqrt(weight[at]))
        result.append((intercept, slope))
    return np.array(result)
