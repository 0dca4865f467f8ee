"""A fitted general law on the screen: what is known, what is not and why, in words."""

from __future__ import annotations

from analysis.forms.rivals import APART
from analysis.forms.verdict import UNNEEDED
from analysis.tables.laws_json import Law
from analysis.text import bracket, estimate, number

DIGITS = 5  # rounded exponents ruin extrapolation


def show(law: Law, file=None) -> None:
    """Print a law for a reader (standard output by default)."""
    from rich.table import Table

    from analysis.show.console.narrow import screen

    console = screen(file, markup=True)
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
    if law.data.get("roll_out"):
        lines.append(rolled(law.data["roll_out"]))
    if law.data.get("more_rows"):
        lines.append(more(law.data["more_rows"], law.data.get("units")))
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
    """The size of the misfit, in a clause."""
    line = f"{number(100 * misfit['rms'])} % rms"
    if misfit["share_of_variance"] is not None:
        line += f", {number(100 * misfit['share_of_variance'], 4)} % of the variance explained"
    return line + f", greatest deviation {number(100 * misfit['largest'])} %"


def reason(law: Law) -> str:
    """Why the law has its verdict, in a clause: what contradicts it, else what can't be told and what
    that would need."""
    size = f" (misfit {size_of(law.data['misfit'])})" if "misfit" in law.data else ""
    if law.verdict == "supported":
        return size
    against = [said(law, n) for n, c in law.checks.items() if c.get("contradicted")]
    against += [f"{r['name']} describes the rows better" for r in law.rivals
                if not r["nested"] and r["delta"] <= -APART]  # fmt: skip
    if law.verdict == "not supported" and against:
        return f": {'; '.join(against)}{size}"
    open_ = [words for n, c in law.checks.items() if c["passed"] is not True
             and (words := said(law, n))]  # fmt: skip
    return f": {'; '.join(open_)}{size}" if open_ else size


def said(law: Law, name: str) -> str:
    """What a check that is not passed says."""
    check = law.checks[name]
    if name == "pattern" and check["passed"] is False:
        slight = "" if check["contradicted"] else "slightly "
        return f"the residuals bend {slight}along the variables, by {number(100 * check['bend'])} % rms"
    if name == "needed" and "contradicted" in check:
        return "; ".join(
            unseen(law, r, check["contradicted"])
            for r in law.rivals
            if r["nested"] and not r["needed"]
        )
    if name == "identified":
        lost = [n for n, why in check["reasons"].items() if not why.startswith(UNNEEDED)]
        are = "is" if len(lost) == 1 else "are"
        return f"at this noise {', '.join(lost)} {are} not bounded" if lost else ""
    if check["passed"] is None:
        return f"{name}: {check.get('finding', 'too few rows to decide')}"
    return {
        "optimum": "the optimum is not proven",
        "straight": "the optima bend away from a power law",
        "rivals": "a rival comes too close",
        "needed": "the exponent's interval holds 0",
        "interior": "too few optima lie inside the sizes tried",
        "held_out": "held-out rows are predicted no better than naively",
    }.get(name, name)


def unseen(law: Law, rival: dict, absent: bool) -> str:
    """A simpler law that the rows do not reject: what they would have shown, what it would need."""
    least = rival["least_effect"]
    words = f"{rival['name']} describes the rows as well"
    if least is not None:
        words += f", where {number(100 * least)} % rms of y more would have been seen"
    if absent or rival["rows_needed"] is None:
        return words
    return f"{words}; what is there would need about {rival['rows_needed']:.0f} rows at this noise"


def rolled(found: dict) -> str:
    """The roll-out in a line."""
    if not found["steps"] or found["rms"] is None:
        return f"roll-out: the smaller {found['variable']} never determine the law of the next"
    line = (f"roll-out: {len(found['steps'])} steps of {found['variable']}, each predicted from those "
            f"below: rms error {number(100 * found['rms'])} %")  # fmt: skip
    if "rms_power_plane" in found:
        line += f" (a power plane {number(100 * found['rms_power_plane'])} %)"
    if "inside" in found:
        line += f", {found['inside']} inside their 95 % interval"
    if found.get("untold"):
        line += f"; {found['untold']} steps are not determined by those below"
    return line


def more(found: dict, units: dict | None) -> str:
    """What more rows would buy, in a line."""
    what = units["column"] + "s" if units else "rows"
    parts = [f"{name} ± {number(v['1'])}, ± {number(v['2'])}, ± {number(v['4'])}"
             for name, v in found.items()]  # fmt: skip
    return f"with these, twice and four times the {what}: " + "; ".join(parts)


def detail(name: str, check: dict) -> str:
    """What a check's numbers say."""
    value = check.get("value")
    if name == "optimum":
        return (
            f" (objective {check['objective']:.9g}, relative gradient {value:.1g}, "
            f"{check['starts_agreeing']} of {check['starts']} starts agree)"
        )
    if name in {"pattern", "straight"} and value is not None:
        return f" (p = {number(value, 2)}: {check['finding']})"
    if name == "interior":
        return f" ({value} of {check['budgets']} budgets)"
    if name == "rivals":
        return f" (closest: {check['closest']})"
    if name == "held_out" and value is not None:
        return (
            f" ({check['rows']} rows; rms error {number(value)} in ln, nearest row "
            f"{number(check['rms_nearest_row'])}, power plane {number(check['rms_power_plane'])})"
        )
    if "finding" in check:
        return f" ({check['finding']})"
    return ""
