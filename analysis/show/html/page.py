"""`analysis report`: one self-contained, printable report.html beside a sweep's table.

Guarantee: the page needs no other file and no network; every number on it comes from the table
or its fit, every verdict stands in words beside the checks it rests on, and a figure that could
not be drawn is named with the reason.
"""

from __future__ import annotations

from html import escape

from analysis.gamma_star.records import FitResult
from analysis.show.html.contrasts import compared, priced, probed
from analysis.show.html.fit import (
    arm_section,
    details,
    exchange,
    figures,
    method,
    summary,
    verdicts,
)
from analysis.tables.table import Table

STYLE = """
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#1a1a1a;max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid
#ccc}h3{font-size:1rem;margin:1.2rem 0 .3rem}
table{border-collapse:collapse;font-size:.85rem;margin:.6rem 0}
th,td{padding:.15rem .7rem .15rem 0;text-align:left;vertical-align:top}
th{border-bottom:1px solid #888}td.n{font-variant-numeric:tabular-nums}
figure{margin:1rem 0;break-inside:avoid}figure img{max-width:100%}
figcaption,.quiet{color:#555;font-size:.85rem}
.verdict{font-weight:600}.supported{color:#00704a}.not-supported{color:#a33d00}
.exploratory{font-style:italic}.scroll{overflow-x:auto}
@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}tr{break-inside:avoid}}
"""


def of_fit(loaded: Table, result: FitResult) -> str:
    """The page. result: the table's fit."""
    groups = {str(loaded.runs["task"].iloc[0]): loaded}
    parts = [verdicts(result), summary(loaded, result)]
    parts += [arm_section(fit) for fit in result.arms.values()]
    parts += [compared(groups), exchange(result), priced(groups)]
    parts += [figures(result), probed(groups), details(result), method(result)]
    return frame(f"Momentum and depth: {loaded.sweep}", "".join(parts))


def of_groups(groups: dict[str, Table]) -> str:
    """The page of several tasks or budgets: comparisons, no law."""
    return frame(
        f"Momentum: {', '.join(groups)}", compared(groups) + priced(groups) + probed(groups)
    )


def frame(title: str, body: str) -> str:
    """The whole page about its body."""
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}"
        f"</title><meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )
