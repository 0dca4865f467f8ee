"""Where the metric hardly tells one γ from another about its best: a valley with a floor.

A narrow interval of γ* there is right under the curve's form and says little of the loss: figures
show the floor, γ within ε of the best, instead.
"""

from __future__ import annotations

import numpy as np

from analysis.gamma_star.records import Optimum

WIDER = 3.0  # times the interval's width in ln γ
LEAST = np.log(4.0)  # a floor narrower than this factor of γ is no floor


def flat(best: Optimum) -> bool:
    """Whether the floor, in ln γ, is wide and dwarfs the interval of γ*."""
    ends = (best.plateau_low, best.plateau_high, best.low, best.high)
    if best.kind != "interior" or any(v is None or v <= 0 for v in ends):
        return False
    floor, interval = np.log(ends[1] / ends[0]), np.log(ends[3] / ends[2])
    return bool(floor >= max(LEAST, WIDER * interval))
