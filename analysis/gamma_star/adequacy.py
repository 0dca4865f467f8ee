"""Whether a depth's curve describes its cells well enough for its optimum to be read off.

It does when the cell means scatter about it no more than the seeds do, or when a local cubic
puts the optimum in the same place, so that the misfit lies where no optimum is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import fdtrc

from analysis.gamma_star.curve_fit import CurveFit

LOCAL_WINDOW = 1.5
SAME = np.log(1.25) / 2  # half the margin of the equivalence check
LEVEL = 0.01


def misfit(fit: CurveFit, local: CurveFit | None, depths: int) -> dict[str, Any]:
    """r2 of the cell means (metric's scale), p of lack of fit, and whether it is adequate."""
    mean, weight = fit.cells.means(fit.filled)
    keep = fit.keep & (weight > 0)
    with np.errstate(divide="ignore"):
        residual = mean[keep] - fit.value(fit.cells.gamma[keep])
    spread = float(((mean[keep] - mean[keep].mean()) ** 2).sum())
    r2 = 1 - float((residual**2).sum()) / spread if spread > 0 else None
    free = int(keep.sum()) - (6 if fit.form == "two_sided" else 3 + (fit.form == "cubic"))
    p = None
    if free > 0 and fit.cells.noise_df > 0:
        ratio = float((weight[keep] * residual**2).sum()) / free
        p = float(fdtrc(free, fit.cells.noise_df, ratio))
    moved = None if local is None else abs(local.theta - fit.theta)
    fits = p is None or p > LEVEL / max(depths, 1)
    agrees = moved is not None and moved < SAME
    return {"r2": r2, "p_lack_of_fit": p, "local_cubic_moves_by": moved,
            "adequate": bool(fits or agrees)}  # fmt: skip
