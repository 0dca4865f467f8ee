"""`analysis report`: one self-contained, printable report.html beside a sweep's table.

Guarantee: the page needs no other file and no network; every number on it comes from the table
or its fit, every verdict stands in words beside the checks it rests on, and a figure that could
not be drawn is named with the reason.
"""

from __future__ import annotations

import re
from html import escape

from analysis.gamma_star.records import FitResult
from analysis.show.html.contrasts import compared, priced, probed
from analysis.show.html.fit import (
    arm_section,
    details,
    exchange,
    figures,
    method,
    notes,
    summary,
    verdicts,
)
from analysis.tables.table import Table

STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--quiet:#555;--line:#ccc;--page:#fff;--good:#00704a;
--bad:#a33d00}
@media (prefers-color-scheme:dark){:root{--ink:#e6e6e6;--quiet:#a8a8a8;--line:#444;--page:#161616;
--good:#4cc38a;--bad:#ff9a62}figure img{background:#fff;border-radius:4px}}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--ink);
background:var(--page);max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid
var(--line)}h3{font-size:1rem;margin:1.2rem 0 .3rem}
nav{font-size:.85rem;margin:.5rem 0 1rem}nav a{margin-right:1rem;white-space:nowrap}a{color:inherit}
table{border-collapse:collapse;font-size:.85rem;margin:.6rem 0;overflow-wrap:normal}
th,td{padding:.15rem .7rem .15rem 0;text-align:left;vertical-align:top}
th{border-bottom:1px solid var(--quiet);cursor:pointer}th::after{content:" ⇅";color:var(--line)}
td.n{font-variant-numeric:tabular-nums}
figure{margin:1rem 0;break-inside:avoid}figure img{max-width:100%}
figcaption,.quiet{color:var(--quiet);font-size:.85rem}
.answer{font-size:1.1rem;font-weight:600}.verdict{font-weight:600}.supported{color:var(--good)}.not-supported{color:var(--bad)}
.exploratory{font-style:italic}dt{font-weight:600}dd{margin:0 0 .4rem 1rem}
.scroll{overflow-x:auto}
@media (max-width:500px){body{margin:1rem auto}h1{font-size:1.2rem}figure{overflow-x:auto}
figure img{width:36rem!important;max-width:none}}
@page{size:A4;margin:14mm}
@media print{figure img{max-height:105mm;width:auto!important}:root{color-scheme:light;--ink:#000;--quiet:#444;--page:#fff}nav{display:none}
html{font-size:11px}body{margin:0;max-width:none;font-size:1rem}h2{break-after:avoid}tr{break-inside:avoid}
.scroll{overflow:visible}table{font-size:8px;width:100%;overflow-wrap:break-word}th::after{content:""}}
"""
SORT = """
document.querySelectorAll('th').forEach(h=>h.onclick=()=>{const t=h.closest('table'),
b=t.tBodies[0],i=[...h.parentNode.children].indexOf(h),up=h.dataset.up!=='1';h.dataset.up=up?'1':'';
const key=r=>r.children[i].textContent.trim(),n=s=>{const v=parseFloat(s);return isNaN(v)?null:v};
[...b.rows].sort((x,y)=>{const p=key(x),q=key(y),u=n(p),v=n(q);
const d=u!==null&&v!==null?u-v:p.localeCompare(q);return up?d:-d}).forEach(r=>b.append(r))});
"""
GLOSSARY = {
    "arm": "a variant of the operator, such as raw or norm-matched.",
    "γ*": "the best γ at one depth; γ*(N) = a·N^-b is the law that is asked.",
    "formed": "a run that learned the task, where runs either do or stay near chance.",
    "rival": "another form of γ*(N) that the data might fit as well; nested in the law, or not.",
    "supported": "every check passed; not supported: the data contradict the law; not "
    "distinguishable: they can't tell.",
    "frozen": "the analysis that stood in the sweep's file before it ran; exploratory: any other.",
    "ε": "the relative difference in the metric below which γ counts as good as the best.",
    "equivalence": "every depth's departure from the law lies within the margin, by its interval.",
    "N_eff": "the depth of a model without momentum that does as well.",
    "—": "a number that the data do not bound.",
}


def of_fit(loaded: Table, result: FitResult) -> str:
    """The page: the verdict and its figure first. result: the table's fit."""
    groups = {str(loaded.runs["task"].iloc[0]): loaded}
    drawn = figures(loaded, result)
    parts = [verdicts(result), drawn["law"], drawn["training"], drawn["curves"], notes(result)]
    parts += [summary(loaded, result), *(arm_section(fit) for fit in result.arms.values())]
    parts += [compared(groups), exchange(result), priced(groups), drawn["rest"], probed(groups)]
    parts += [details(result), method(result)]
    return frame(f"Momentum and depth: {loaded.sweep}", "".join(parts))


def of_groups(groups: dict[str, Table]) -> str:
    """The page of several tasks or budgets: comparisons, no law."""
    return frame(
        f"Momentum: {', '.join(groups)}", compared(groups) + priced(groups) + probed(groups)
    )


def glossary() -> str:
    """The words of the page."""
    rows = "".join(f"<dt>{escape(w)}</dt><dd>{escape(t)}</dd>" for w, t in GLOSSARY.items())
    return f"<h2>Glossary</h2><dl>{rows}</dl>"


def linked(body: str) -> tuple[str, str]:
    """The contents, and the body whose sections they lead to."""
    names = re.findall(r"<h2>(.*?)</h2>", body)
    for i, name in enumerate(names):
        body = body.replace(f"<h2>{name}</h2>", f"<h2 id='s{i}'>{name}</h2>", 1)
    links = "".join(f"<a href='#s{i}'>{name}</a>" for i, name in enumerate(names))
    return f"<nav>{links}</nav>", body


def frame(title: str, body: str) -> str:
    """The whole page about its body."""
    contents, body = linked(body + glossary())
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}"
        f"</title><meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{contents}{body}"
        f"<script>{SORT}</script></body></html>\n"
    )
