"""Two sides compared, on the screen."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.text import bracket, estimate
from analysis.text import number as shortened

DIGITS = 4  # losses that differ by a per cent must look different


def show(found: dict[str, Any]) -> None:
    """Print a comparison for a reader."""
    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    console.print(f"A: {found['a']}\nB: {found['b']}")
    if "published" in found:
        for arm in found["published"]:
            p = arm["parameters"]
            console.print(
                f"arm {arm['arm']} ({arm['verdict']}): "
                + ", ".join(
                    f"{n} = {estimate(q['estimate'], q['low'], q['high'], DIGITS)}"
                    for n, q in p.items()
                )
            )
            test = arm["joint_test"]
            if test and test.get("p") is not None:
                word = "excluded" if test.get("excluded") else "not excluded"
                console.print(f"  published pair jointly: p = {number(test['p'])}, {word}")
            grid = Table(box=None, pad_edge=False)
            for head in ("depth", "ours", "95 %", "published", ""):
                grid.add_column(head)
            for d in arm["depths"]:
                inside = (
                    None not in (d["low"], d["high"]) and d["low"] <= d["published"] <= d["high"]
                )
                word = d["kind"] if d["kind"] != "interior" else ("agrees" if inside else "differs")
                grid.add_row(
                    str(d["depth"]),
                    number(d["gamma"]),
                    bracket(d["low"], d["high"], DIGITS),
                    number(d["published"]),
                    word,
                )
            console.print(grid)
        return
    for name in ("a", "b"):
        for law in found["laws"][name]:
            console.print(
                f"{name.upper()} law {law['law']} arm {law['arm']}: {law['verdict']}; "
                + ", ".join(
                    f"{n} = {estimate(p['estimate'], p['low'], p['high'], DIGITS)}"
                    for n, p in law["parameters"].items()
                )
            )
    for gap in found["difference_in_b"]:
        console.print(
            f"b of A less b of B ({gap['arms'][0]}, {gap['arms'][1]}): "
            f"{estimate(gap['difference'], gap['low'], gap['high'], DIGITS)}"
        )
    grid = Table(box=None, pad_edge=False)
    for head in (*found["by"], f"{found['metric']} A", "B", "A - B", "95 %", "n", ""):
        grid.add_column(str(head), no_wrap=True)
    for row in found["cells"]:
        clear = row["low"] is not None and not row["low"] <= 0 <= row["high"]
        grid.add_row(
            *(number(row[c]) for c in found["by"]),
            number(row["mean_a"]),
            number(row["mean_b"]),
            number(row["difference"]),
            bracket(row["low"], row["high"], DIGITS),
            f"{row['n_a']}, {row['n_b']}{' paired' if row['paired'] else ''}",
            "differs" if clear else "",
        )
    console.print(grid)
    if found["only_a"] or found["only_b"]:
        console.print(f"without a match: {found['only_a']} cells of A, {found['only_b']} of B")
    if found["pooled"]:
        console.print(
            f"cells pool runs that differ in {', '.join(found['pooled'])}: their means "
            "are compared, without an interval (name these columns in --by)"
        )
    told = sum(r["low"] is not None for r in found["cells"])
    if told > 1:
        console.print(f"{told} intervals at 95 % each, not corrected for their number")


def number(value: Any) -> str:
    """Four digits."""
    return shortened(value, DIGITS)
