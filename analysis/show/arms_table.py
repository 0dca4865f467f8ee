"""The table of arms as text: the same cells on the screen and on the page."""

from __future__ import annotations

from typing import Any

from analysis.contrasts.arms import Arms
from analysis.text import bracket, number


def head(arms: Arms) -> list[str]:
    """Column titles."""
    several = len({r["width"] for r in arms.rows}) > 1
    places = ["task", *(["width"] if several else []), "depth", "arm", "setting", "seeds"]
    own = [arms.metric] + (["accuracy"] if any("accuracy" in r for r in arms.rows) else [])
    if arms.metric == "accuracy":
        own = ["accuracy"]
    steps = ["steps to solve"] if any("steps" in r for r in arms.rows) else []
    return [*places, *own, "formed", *steps, f"ratio to {arms.reference}", "p (Holm)"]


def cells(arms: Arms) -> list[list[str]]:
    """One row of text an arm, in the order of `head`."""
    out = []
    for r in arms.rows:
        row = []
        for name in head(arms):
            if name in ("task", "arm", "setting") or name in ("width", "depth"):
                row.append(str(r[name]))
            elif name == "seeds":
                lost = f" ({r['diverged']} diverged)" if r["diverged"] else ""
                row.append(f"{r['seeds']}{lost}")
            elif name == "formed":
                row.append(
                    f"{r['formed']}/{r['runs']} {bracket(r['formation_low'], r['formation_high'])}"
                )
            elif name == "steps to solve":
                row.append(steps(r))
            elif name.startswith("ratio"):
                row.append(
                    ""
                    if r["ratio"] is None
                    else f"{number(r['ratio'])} {bracket(r['ratio_low'], r['ratio_high'])}"
                )
            elif name.startswith("p "):
                row.append("" if r["p_holm"] is None else number(r["p_holm"], 2))
            else:
                row.append(f"{number(r[name])} {bracket(r[name + '_low'], r[name + '_high'])}")
        out.append(row)
    return out


def steps(r: dict[str, Any]) -> str:
    """Median steps; "> budget" where it was not seen."""
    if r["steps"] is None:
        return "" if r["steps_low"] is None else f"> {number(r['steps_low'])}"
    return f"{number(r['steps'])} {bracket(r['steps_low'], r['steps_high'])}"


def sentences(arms: Arms) -> list[str]:
    """Formation with momentum against without, a sentence a task and depth."""
    out = []
    for place in dict.fromkeys((r["task"], r["width"], r["depth"]) for r in arms.rows):
        gaps = [g for g in arms.gammas if (g["task"], g["width"], g["depth"]) == place]
        where = f"{place[0]}, depth {place[2]}".removeprefix(", ")
        if not gaps:
            out.append(f"{where}: no run without momentum to compare formation with")
            continue
        said = []
        for arm in dict.fromkeys(g["arm"] for g in gaps):
            own = [g for g in gaps if g["arm"] == arm]
            best = max(own, key=lambda g: (g["gap"], -g["p"]))
            clear = sum(g["p_holm"] <= 0.05 and g["gap"] > 0 for g in own)
            said.append(
                f"{arm} {best['formed']}/{best['runs']} at γ = {number(best['gamma'])} (gap "
                f"{number(best['gap'], 2)} {bracket(best['low'], best['high'])}, more often at "
                f"{clear} of {len(own)} γ)"
            )
        zero = gaps[0]
        out.append(
            f"{where}: {zero['formed_at_0']}/{zero['runs_at_0']} form without momentum; at the "
            f"γ that forms most often: " + "; ".join(said)
        )
    return out
