"""A fit on the screen: each arm's optima, law and verdict, in the words of the field."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.markup import escape as marked_up
from rich.table import Table as Grid

from analysis.gamma_star.records import FitResult, GammaStarFit
from analysis.show.console.narrow import screen
from analysis.tables.laws_json import Parameter
from analysis.text import number

SENTENCES = 8  # of exchange per arm on the screen; the report has all


def show(result: FitResult, written: Path, to_stderr: bool = False) -> None:
    """Print the summary; to standard error where standard output is for JSON."""
    stream = sys.stderr if to_stderr else sys.stdout
    console = screen(stream, markup=True)
    for fit in result.arms.values():
        show_arm(console, fit, result.form)
    if result.attribution:
        console.print(f"[bold]Attribution[/bold]  {escape(result.attribution['finding'])}")
    for arm, exchange in result.fungibility.items():
        for sentence in exchange.sentences[:SENTENCES]:
            console.print(f"[bold]Exchange, {escape(arm)}[/bold]  {escape(sentence)}")
        if len(exchange.sentences) > SENTENCES:
            console.print(f"  ... {len(exchange.sentences) - SENTENCES} more in the report")
    for note in result.notes:
        console.print(f"note: {escape(note)}")
    for line in origin(result.provenance):
        console.print(f"note: {escape(line)}")
    console.print(f"laws written to {written.resolve()}")


def show_arm(console, fit: GammaStarFit, form: str) -> None:
    """One arm: a table of depths, then the law and why it is judged so."""
    data = fit.law.data
    grid = Grid(title=f"{escape(fit.arm)}: best γ by {fit.metric} ({form}, {data['runs']} runs, "
                      f"{data['seeds']} seeds)", title_justify="left")  # fmt: skip
    several = len({c.width for c in fit.curves}) > 1
    for name in ("depth", *(["width"] if several else []), "γ* [95 %]", "plateau", fit.metric):
        grid.add_column(name, justify="right")
    for curve in fit.curves:
        o = curve.optimum
        flat = (
            f"{number(o.plateau_low)}-{number(o.plateau_high)}" if o.plateau_low is not None else ""
        )
        best = "" if o.best is None else number(o.best)
        grid.add_row(
            str(o.depth),
            *([str(o.width)] if several else []),
            escape(o.label.removeprefix("γ* = ")),
            flat,
            best,
        )
    console.print(grid)
    law = fit.law.parameters
    shown = ", ".join(f"{name} = {bounded(p)}" for name, p in law.items())
    console.print(f"  γ*(N) = a N^-b: {escape(shown)}")
    test = data.get("published")
    if test and test["p"] is not None:
        word = "excluded" if test["excluded"] else "not excluded"
        console.print(
            f"  published (a, b) = ({test['a']}, {test['b']}): {word} (p = {number(test['p'], 2)})"
        )
    mark = marked(fit.law.provenance)
    console.print(f"  [bold]{escape(fit.law.verdict or 'no verdict')}[/bold]{escape(mark)}")
    for sentence in fit.sentences:
        console.print(f"    {escape(sentence)}")


def marked(provenance: dict[str, Any]) -> str:
    """What stands behind a verdict that no frozen analysis gave."""
    sentence = provenance.get("sentence")
    return f" ({sentence})" if sentence else ""


def origin(provenance: dict[str, Any]) -> list[str]:
    """How often this table was looked at, and which code trained its runs."""
    lines = []
    looks = provenance.get("looks")
    if looks is None:
        lines.append("nothing can be written beside this table: looks at it are not counted")
    elif looks["before"]:
        lines.append(f"this table was fitted {looks['before']} times before; "
                     f"{looks['analyses']} different analyses of it so far")  # fmt: skip
    versions = provenance.get("code_versions", [])
    if len(versions) > 1:
        lines.append(f"its runs were trained by {len(versions)} versions of the code")
    return lines


def bounded(p: Parameter) -> str:
    """0.74 [0.6, 0.9], or that the data don't bound it."""
    if p.estimate is None:
        return "not identified"
    low, high = ("unbounded" if v is None else number(v) for v in (p.low, p.high))
    return f"{number(p.estimate)} [{low}, {high}]"


def escape(sentence: str) -> str:
    """A sentence for the console: its brackets are no markup."""
    return marked_up(sentence)
