"""Two sides compared, on the screen."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from analysis.show.console.narrow import screen, show_table
from analysis.text import bracket, estimate
from analysis.text import number as shortened

DIGITS = 4  # losses that differ by a per cent must look different


def show(found: dict[str, Any]) -> None:
    """Print a comparison for a reader."""
    console = screen()
    console.print(f"A: {found['a']}\nB: {found['b']}")
    if "published" in found:
        for arm in found["published"]:
            p = arm["parameters"]
            console.print(f"arm {arm['arm']} ({arm['verdict']}): " + parameters(p))
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
                + parameters(law["parameters"])
            )
    for gap in found["difference_in_b"]:
        if gap["difference"] is None:
            continue
        console.print(
            f"b of A less b of B ({gap['arms'][0]}, {gap['arms'][1]}): "
            f"{estimate(gap['difference'], gap['low'], gap['high'], DIGITS)}"
        )
    rows = []
    for row in found["cells"]:
        clear = row["low"] is not None and not row["low"] <= 0 <= row["high"]
        rows.append([
            *(number(row[c]) for c in found["by"]),
            number(row["mean_a"]), number(row["mean_b"]), number(row["difference"]),
            bracket(row["low"], row["high"], DIGITS),
            f"{row['n_a']}, {row['n_b']}{' paired' if row['paired'] else ''}",
            "differs" if clear else "",
        ])  # fmt: skip
    keys = ["γ" if c == "gamma" else str(c) for c in found["by"]]
    head = [*keys, f"{found['metric']} A", "B", "A - B", "95 %", "n", ""]
    show_table(console, head, rows, len(keys))
    if found["only_a"] or found["only_b"]:
        console.print(f"without a match: {found['only_a']} cells of A, {found['only_b']} of B")
    if any(found["without_value"]):
        console.print("runs without {} (diverged, say): {} of A, {} of B".format(
            found["metric"], *found["without_value"]))  # fmt: skip
    if found["pooled"]:
        console.print(
            f"cells pool runs that differ in {', '.join(found['pooled'])}: their means "
            "are compared, without an interval (name these columns in --by)"
        )
    told = sum(r["low"] is not None for r in found["cells"])
    if told > 1:
        console.print(f"{told} intervals at 95 % each, not corrected for their number")


def parameters(found: dict[str, dict[str, Any]]) -> str:
    """a = 4.1 [3, 5], b = ...; those that the data do not fix, as such."""
    said = [
        f"{n} = {estimate(p['estimate'], p['low'], p['high'], DIGITS)}"
        for n, p in found.items() if p["estimate"] is not None
    ]  # fmt: skip
    unknown = [n for n, p in found.items() if p["estimate"] is None]
    return ", ".join([*said, *([f"{', '.join(unknown)} not identified"] if unknown else [])])


def number(value: Any) -> str:
    """Four digits."""
    return shortened(value, DIGITS)
