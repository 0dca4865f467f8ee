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


HEAD = ["arm", "counted in", "loss", "cost with over without", "reached by", "configuration"]


def cells(found: Costs) -> list[list[str]]:
    """The same as a table, a row a sentence, in the order of `HEAD`."""
    out = []
    for arm in dict.fromkeys(r["arm"] for r in found.rows):
        for unit in dict.fromkeys(r["unit"] for r in found.rows):
            rows = [r for r in found.rows if (r["arm"], r["unit"]) == (arm, unit)]
            for r in told(rows):
                ratio = f"{number(r['ratio'])} {ends(r)}" if r["reached"] == "both" else bound(r)
                what = {"both": f"{r['configuration']} against {r['plain']}",
                        "with momentum": r["configuration"], "without": r["plain"]}[r["reached"]]  # fmt: skip
                out.append([arm, UNITS[unit], number(r["loss"]), ratio, r["reached"], what or ""])
    return out


def bound(r: dict[str, Any]) -> str:
    """Where the ratio lies when one side never reached the loss."""
    end, side = (r["high"], "<") if r["reached"] == "with momentum" else (r["low"], ">")
    return "" if end is None else f"{side} {number(end)}"


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of one arm in one unit, rows from high losses to low ones: the least loss that both sides
    reach (with an interval, if any has one), and the least that only one of them does."""
    both = [r for r in rows if r["reached"] == "both"]
    sure = [r for r in both if r["low"] is not None and r["high"] is not None]
    lower = [r for r in rows if r["reached"] == "with momentum"]
    least = min((r["loss"] for r in both), default=float("inf"))
    lost = [r for r in rows if r["reached"] == "without" and r["loss"] < least]
    return [*(sure or both)[-1:], *lower[-1:], *lost[-1:]]


def of_unit(rows: list[dict[str, Any]], unit: str) -> list[str]:
    """One arm in one unit; rows from high losses to low ones."""
    out = []
    for r in told(rows):
        if r["reached"] == "both":
            out.append(f"the loss {number(r['loss'])} costs {number(r['ratio'])} {ends(r)} of the {unit} of the best "
                       f"plain model ({r['configuration']} against {r['plain']})")  # fmt: skip
        elif r["reached"] == "with momentum":
            bound = f": ratio < {number(r['high'])}" if r["high"] is not None else ""
            out.append(f"the loss {number(r['loss'])} is never reached without momentum within the "
                       f"budget{bound} ({unit}, {r['configuration']})")  # fmt: skip
        else:
            bound = f": ratio > {number(r['low'])}" if r["low"] is not None else ""
            out.append(f"the loss {number(r['loss'])} is never reached with it within the budget, and without "
                       f"it is{bound} ({unit})")  # fmt: skip
    return out


def ends(r: dict[str, Any]) -> str:
    """The interval, with an end that the data don't bound said."""
    if r["low"] is None and r["high"] is None:
        return "(no interval)"
    return bracket(r["low"], r["high"]).replace("—", "unbounded")
