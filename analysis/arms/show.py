"""The table of arms on the screen and as HTML: the same cells in both."""

from __future__ import annotations

from typing import Any

from analysis.arms.judge import Arms

WIDEST = 200


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
                    else f"{n(r['ratio'])} {bracket(r['ratio_low'], r['ratio_high'])}"
                )
            elif name.startswith("p "):
                row.append("" if r["p_holm"] is None else f"{r['p_holm']:.2g}")
            else:
                row.append(f"{n(r[name])} {bracket(r[name + '_low'], r[name + '_high'])}")
        out.append(row)
    return out


def steps(r: dict[str, Any]) -> str:
    """Median steps; "> budget" where it was not seen."""
    if r["steps"] is None:
        return "" if r["steps_low"] is None else f"> {n(r['steps_low'])}"
    return f"{n(r['steps'])} {bracket(r['steps_low'], r['steps_high'])}"


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
                f"{arm} {best['formed']}/{best['runs']} at gamma = {best['gamma']:.3g} (gap "
                f"{best['gap']:.2g} {bracket(best['low'], best['high'])}, more often at "
                f"{clear} of {len(own)} gammas)"
            )
        zero = gaps[0]
        out.append(
            f"{where}: {zero['formed_at_0']}/{zero['runs_at_0']} form without momentum; at the "
            f"gamma that forms most often: " + "; ".join(said)
        )
    return out


def show(arms: Arms) -> None:
    """Print the table and the sentences."""
    import sys

    from rich.console import Console
    from rich.table import Table

    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    console.width = max(console.width, WIDEST)  # a number cut short is no number
    grid = Table(box=None, pad_edge=False)
    for name in head(arms):
        grid.add_column(name, no_wrap=True)
    for row in cells(arms):
        grid.add_row(*row)
    console.print(grid)
    for line in sentences(arms):
        console.print(line)
    console.print(arms.how + ".")


def bracket(low: float | None, high: float | None) -> str:
    """[0.31, 0.45]; nothing where there is no interval."""
    return "" if low is None and high is None else f"[{n(low)}, {n(high)}]"


def n(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g}"
