"""What a loss costs with and without momentum, in sentences."""

from __future__ import annotations

from typing import Any

from analysis.contrasts.cost import UNITS, Costs
from analysis.text import bracket, number


def sentences(found: Costs) -> list[str]:
    """Per arm and unit: the least loss that both sides reach, and what only one of them does."""
    out = []
    for arm in dict.fromkeys(r["arm"] for r in found.rows):
        for unit in dict.fromkeys(r["unit"] for r in found.rows):
            rows = [r for r in found.rows if (r["arm"], r["unit"]) == (arm, unit)]
            out += [
                f"{found.task}, {arm}: {line}".removeprefix(", ")
                for line in of_unit(rows, UNITS[unit])
            ]
    return out + found.notes


def of_unit(rows: list[dict[str, Any]], unit: str) -> list[str]:
    """One arm in one unit; rows from high losses to low ones."""
    out = []
    both = [r for r in rows if r["reached"] == "both"]
    sure = [r for r in both if r["low"] is not None and r["high"] is not None]
    if both:
        r = (sure or both)[-1]
        out.append(f"the loss {number(r['loss'])} costs {number(r['ratio'])} {ends(r)} of the {unit} of the best "
                   f"plain model ({r['configuration']} against {r['plain']})")  # fmt: skip
    lower = [r for r in rows if r["reached"] == "with momentum"]
    if lower:
        r = lower[-1]
        bound = f": ratio < {number(r['high'])}" if r["high"] is not None else ""
        out.append(f"the loss {number(r['loss'])} is never reached without momentum within the "
                   f"budget{bound} ({unit}, {r['configuration']})")  # fmt: skip
    least = min((r["loss"] for r in both), default=float("inf"))
    lost = [r for r in rows if r["reached"] == "without" and r["loss"] < least]
    if lost:
        r = lost[-1]
        bound = f": ratio > {number(r['low'])}" if r["low"] is not None else ""
        out.append(f"the loss {number(r['loss'])} is never reached with it within the budget, and without "
                   f"it is{bound} ({unit})")  # fmt: skip
    return out


def ends(r: dict[str, Any]) -> str:
    """The interval, with an end that the data don't bound said."""
    if r["low"] is None and r["high"] is None:
        return "(no interval)"
    return bracket(r["low"], r["high"]).replace("—", "unbounded")
