"""One format of numbers, in sentences, on the screen and on the page.

What the data do not bound is a dash, never nan or inf.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

DIGITS = 3
NOTHING = "—"
PLAIN = 999_999.5  # below, whole numbers are written out


def number(value: Any, digits: int = DIGITS) -> str:
    """`digits` significant digits of a float; whole numbers, words and yes or no as they are."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):  # numpy's float64 is one
        if not math.isfinite(value):
            return NOTHING
        short = f"{value + 0.0:.{digits}g}"  # 0, not -0
        # 610, not 6.1e+02; a million and beyond stays 1e+06
        return f"{float(short):.0f}" if "e+0" in short and abs(value) < PLAIN else short
    return str(value)


def named_depths(values: Iterable[int]) -> str:
    """ "depth 2" or "depths 2, 4", in order."""
    seen = sorted({int(v) for v in values})
    return f"depth{'s' * (len(seen) != 1)} {', '.join(map(str, seen))}"


def bracket(low: float | None, high: float | None, digits: int = DIGITS) -> str:
    """[0.31, 0.45]; nothing where there is no interval at all."""
    if low is None and high is None:
        return ""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def estimate(
    value: float | None, low: float | None, high: float | None, digits: int = DIGITS
) -> str:
    """0.4 [0.31, 0.45]; the interval alone where there is no estimate."""
    interval = f"[{number(low, digits)}, {number(high, digits)}]"
    return interval if value is None else f"{number(value, digits)} {interval}"
