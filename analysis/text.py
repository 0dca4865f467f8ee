"""One format of numbers, in sentences, on the screen and on the page.

What the data do not bound is a dash, never nan or inf.
"""

from __future__ import annotations

import math
import re
from typing import Any

DIGITS = 3
NOTHING = "—"


def number(value: Any, digits: int = DIGITS) -> str:
    """`digits` significant digits of a float; whole numbers, words and yes or no as they are."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):  # numpy's float64 is one
        return f"{value:.{digits}g}" if math.isfinite(value) else NOTHING
    return str(value)


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


def greek(sentence: str) -> str:
    """γ for the word gamma, in what a person reads; names of columns keep theirs."""
    return re.sub(r"(?<![\w.'-])gamma(?![\w='-])", "γ", sentence)
