"""A fitted general law on the screen: what is known, what is not and why, in words."""

from __future__ import annotations

import sys

from analysis.tables.laws_json import Law
from analysis.text import bracket, estimate, number

DIGITS = 5  # rounded exponents ruin extrapolation


def show(law: Law, file=None) -> None:
    """Print a law for a reader (standard output by default)."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=file or sys.stdout, highlight=False, soft_wrap=True)
    console.print(f"[bold]{law.law}[/bold]  {law.form}")
    table = Table(show_edge=False, pad_edge=False, box=None)
    for name in ("parameter", "estimate", f"{100 * law.level:g} % interval", ""):
        table.add_column(name, justify="left", no_wrap=True)
    reasons = law.checks.get("identified", {}).get("reasons", {})
    for name, p in law.parameters.items():
        interval = (bracket(p.low, p.high, DIGITS) or "[—, —]").replace("[", r"\[")
        table.add_row(
            name, number(p.estimate, DIGITS), interval, "" if p.identified else "not identified"
        )
    console.print(table)
    for name, reason in reasons.items():
        console.print(f"{name} is not identified: {reason}".replace("[", r"\["))
    for line in sentences(law):
        console.print(line.replace("[", r"\["))


def sentences(law: Law) -> list[str]:
    """The verdict, the checks, the rivals and the rows, one sentence each."""
    lines = []
    if law.verdict:
        lines.append(f"verdict: {law.verdict}{reason(law)}")
    if "misfit" in law.data:
        lines.append(size_of(law.data["misfit"]))
    for name, check in law.checks.items():
        state = {True: "passed", False: "FAILED", None: "not decided"}[check["passed"]]
        lines.append(f"  {name}: {state}{detail(name, check)}")
    for rival in law.rivals:
        if rival["nested"]:
            said = "rejected" if rival["needed"] else "describes the data as well"
        else:
            side = "worse" if rival["delta"] > 0 else "better"
            said = f"{side} by {number(abs(rival['delta']), DIGITS)}"
        lines.append(f"  rival {rival['name']}: {said}")
    data = law.data
    if "predicted" in data:
        p = data["predicted"]
        where = ", ".join(f"{n} = {v:g}" for n, v in p["point"].items())
        value = estimate(p["estimate"], p["low"], p["high"], DIGITS)
        lines.append(f"predicted at {where}: {value} (a new row, {100 * law.level:g} %)")
    if "rows" in data:
        lines.append(f"rows: {data['used']} of {data['rows']} fitted")
        if data.get("held_out"):
            lines.append(f"  {data['held_out']} held out")
        if data.get("units"):
            u = data["units"]
            how = "found in the table" if u["found"] else "as given"
            lines.append(f"units: {u['count']} of {u['column']} ({how}); rows of one are one unit")
        lines += [f"  {count} dropped: {why}" for why, count in data.get("dropped", {}).items()]
    lines += [f"  {count} skipped: {why_}" for why_, count in data.get("skipped", {}).items()]
    lines += [f"note: {note}" for note in data.get("notes", [])]
    lines.append(f"method: {law.method}")
    return lines


def size_of(misfit: dict) -> str:
    """The size of the misfit, in a line."""
    line = f"misfit: {number(100 * misfit['rms'])} % rms"
    share = misfit["share_of_variance"]
    return line + (
        "" if share is None else f", {number(100 * share, 4)} % of the variance explained"
    )


def reason(law: Law) -> str:
    """What kept the law from "supported", in a clause."""
    said = {
        "optimum": "the optimum is not proven",
        "identified": "not every parameter is identified",
        "pattern": "the residuals bend along the variables",
        "straight": "the optima bend away from a power law",
        "rivals": "a rival comes too close",
        "needed": "a simpler law describes the rows as well",
        "interior": "too few optima lie inside the sizes tried",
        "held_out": "held-out rows are predicted no better than naively",
    }
    failed = [said.get(name, name) for name, c in law.checks.items() if c["passed"] is False]
    open_ = [said.get(name, name) for name, c in law.checks.items() if c["passed"] is None]
    if failed:
        size = (
            f" (by {number(100 * law.data['misfit']['rms'])} % rms)" if "misfit" in law.data else ""
        )
        return ": " + "; ".join(f + size * (f == said["pattern"]) for f in failed)
    if open_ and law.verdict != "supported":
        return ": too few rows to decide on all checks"
    return ""


def detail(name: str, check: dict) -> str:
    """What a check's numbers say."""
    value = check.get("value")
    if name == "optimum":
        return (
            f" (objective {check['objective']:.9g}, relative gradient {value:.1g}, "
            f"{check['starts_agreeing']} of {check['starts']} starts agree)"
        )
    if name in {"pattern", "straight"} and value is not None:
        return f" (p = {value:.2g}: {check['finding']})"
    if name == "interior":
        return f" ({value} of {check['budgets']} budgets)"
    if name == "rivals":
        return f" (closest: {check['closest']})"
    if name == "held_out" and value is not None:
        return (
            f" ({check['rows']} rows; rms error {value:.3g} in ln, nearest row "
            f"{check['rms_nearest_row']:.3g}, power plane {check['rms_power_plane']:.3g})"
        )
    if "finding" in check:
        return f" ({check['finding']})"
    return ""
