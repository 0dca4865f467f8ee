"""What more data of the same kind would do to an interval."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit


def with_more(rows: int, parameters: int, times: float, level: float = 0.95) -> float:
    """The factor on a half-width with `times` as many independent rows at the same places: the root
    of their number, and the quantile of t with the degrees of freedom that they add. Infinite
    without any at first."""
    spare = rows - parameters
    if spare < 1:
        return float(np.inf)
    now, then = (stdtrit(df, 0.5 + level / 2) for df in (spare, times * rows - parameters))
    return float(then / now / np.sqrt(times))
