"""gamma* at a depth that the table may not have, and every depth predicted from the shallower ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.errors import InputError
from analysis.gamma_star.depth_law import LEAST_INTERIOR, Points, design_at, power_design
from analysis.stats.censored_line import Regression
from analysis.stats.roll_out import roll_out
from analysis.text import number


def at_place(points: Points, law: Regression, place: dict[str, float]) -> dict[str, Any]:
    """{depth, width, estimate, low, high, beyond}: the 95 % interval of a new depth's own gamma* there;
    beyond: how many times past the deepest depth. Raises InputError where widths vary and none is
    given, or the one given was never run."""
    several = len(law.coefficients) > 2
    widths = np.unique(points.width)
    if several and "width" not in place:
        raise InputError(f"--predict: the table has widths {', '.join(f'{w:g}' for w in widths)}; "
                         f"add width=NUMBER")  # fmt: skip
    if not several and place.get("width", widths[0]) != widths[0]:
        raise InputError(
            f"--predict width={place['width']:g}: the table has width {widths[0]:g} alone"
        )
    depth, width = np.array([place["depth"]]), np.array([place.get("width", widths[0])])
    row = design_at(depth, width, several)
    centre = float((row @ law.coefficients)[0])
    low, high = (float(end[0]) for end in law.band(row, new=True))
    return {
        "depth": place["depth"], "width": float(width[0]), "estimate": float(np.exp(centre)),
        "low": float(np.exp(low)), "high": float(np.exp(high)),
        "beyond": place["depth"] / float(points.depth.max()),
    }  # fmt: skip


def predicted_sentence(at: dict[str, Any]) -> str:
    """The prediction in words."""
    said = (f"predicted at depth {at['depth']:g}: γ* = {number(at['estimate'])} [{number(at['low'])}, "
            f"{number(at['high'])}] (a new depth's own, 95 %)")  # fmt: skip
    return f"{said}, {number(at['beyond'], 2)} times past the deepest" if at["beyond"] > 1 else said


def rolled_out(points: Points) -> dict[str, Any] | None:
    """Every depth with an optimum inside the grid predicted from the shallower ones: its steps and the
    rms error of ln gamma*; None with too few depths."""
    steps = roll_out(points, power_design(points), points.depth, LEAST_INTERIOR)
    if not steps:
        return None
    shown = [
        {"depth": int(points.depth[s.at]), "width": int(points.width[s.at]),
         "predicted": float(np.exp(s.predicted)), "low": float(np.exp(s.low)),
         "high": float(np.exp(s.high)), "seen": float(np.exp(points.value[s.at])),
         "inside": s.inside}
        for s in steps
    ]  # fmt: skip
    return {"variable": "depth", "steps": shown, "inside": sum(s.inside for s in steps),
            "rms": float(np.sqrt(np.mean([s.error**2 for s in steps])))}  # fmt: skip


def rolled_sentence(found: dict[str, Any]) -> str:
    """The roll-out in words."""
    depths = ", ".join(str(d) for d in dict.fromkeys(s["depth"] for s in found["steps"]))
    return (f"roll-out: depths {depths}, each predicted from the shallower ones, are off by "
            f"{100 * np.expm1(found['rms']):.0f} % (rms), {found['inside']} of {len(found['steps'])} "
            f"inside their 95 % interval")  # fmt: skip
