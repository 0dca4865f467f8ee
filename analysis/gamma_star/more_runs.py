"""What more seeds would buy: b's half-width with twice and four times the seeds at the same cells, as
`precision` says it, scaled to the interval that the fit gave.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.errors import InputError
from analysis.gamma_star.curve_fit import CurveFit
from analysis.gamma_star.pilot import of_fits, planned_as
from analysis.gamma_star.precision import half_widths
from analysis.gamma_star.records import Optimum
from analysis.stats.censored_line import Regression
from analysis.text import number

TIMES = (1, 2, 4, 8, 16)
SHOWN = (2, 4)
DRAWS = 400


def more_runs(
    fits: list[CurveFit], optima: list[Optimum], law: Regression, b: tuple[float, float, float]
) -> dict[str, Any] | None:
    """{"b": [..], "seeds", "depth_sd", "half": {"1": .., "2": .., ...}} by times the seeds; None with
    several widths, another form, or no interval to start from."""
    if len({f.cells.width for f in fits}) > 1 or not np.isfinite(b).all():
        return None
    inside = {o.depth: o.kind == "interior" for o in optima}
    a = float(np.exp(law.coefficients[0]))
    try:
        noise, true = of_fits(fits, np.array([inside[f.cells.depth] for f in fits]), a,
                              float(law.coefficients[1]), law.tau)  # fmt: skip
    except InputError:
        return None
    now = planned_as(fits)
    found = half_widths([now.times(m) for m in TIMES], noise, true, DRAWS)
    if not np.isfinite(found[0].half):
        return None
    seen = (b[2] - b[1]) / 2
    return {
        "b": list(b), "seeds": int(np.median(now.seeds)), "depth_sd": law.tau,
        "half": {str(m): seen * p.half / found[0].half for m, p in zip(TIMES, found, strict=True)},
    }  # fmt: skip


def more_sentence(more: dict[str, Any]) -> str:
    """The half-widths in words."""
    now = more["half"]["1"]
    parts = ", ".join(
        f"± {number(more['half'][str(m)], 2)} with {m * more['seeds']}" for m in SHOWN
    )
    said = f"b is known to ± {number(now, 2)} with {more['seeds']} seeds; about {parts}"
    if more["half"][str(SHOWN[-1])] > 0.8 * now and more["depth_sd"] > 0:
        said += f": the depths differ by {100 * more['depth_sd']:.0f} % beyond the law, more depths tell more"
    return said


def needed(more: dict[str, Any]) -> str:
    """What telling b from 0 would need, as the end of a sentence; nothing where it is told."""
    b, low, high = more["b"]
    if not low <= 0 <= high:
        return ""
    enough = [m for m in TIMES if more["half"][str(m)] < abs(b)]
    half = f"at this noise b would need to be beyond ± {number(more['half']['1'], 2)} to be told from 0"
    if enough:
        return f"; {half}, or about {enough[0] * more['seeds']} seeds where it is {number(b, 2)}"
    return f"; {half}; no number of seeds at these depths tells a b of {number(b, 2)}"
