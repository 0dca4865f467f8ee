"""What is chosen of a fit of gamma*(N), and the place that a prediction is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import InputError

NAMES = {"n": "depth", "depth": "depth", "width": "width"}


@dataclass(frozen=True)
class Choices:
    """metric, form, window (in ln gamma, None: all): of the curves. hold_out: "deepest" or a condition
    on depth and width. predict: "N=16", with several widths "N=16,width=64"."""

    metric: str
    form: str
    window: float | None = None
    hold_out: str = "deepest"
    predict: str | None = None


def parse_place(text: str) -> dict[str, float]:
    """ "N=16,width=64" -> {"depth": 16.0, "width": 64.0}. Raises InputError."""
    place: dict[str, float] = {}
    try:
        for part in text.split(","):
            name, value = part.split("=")
            name = NAMES[name.strip().lower()]
            if name in place:
                raise ValueError
            place[name] = float(value)
    except (ValueError, KeyError):
        place = {}
    if "depth" not in place or not all(np.isfinite(v) and v > 0 for v in place.values()):
        raise InputError(f"--predict {text!r}: write N=NUMBER, with several widths "
                         "N=NUMBER,width=NUMBER, positive")  # fmt: skip
    return place
