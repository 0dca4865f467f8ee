"""A result as a notebook shows it: the words first, then the numbers, then the law's figure."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from analysis.contrasts.arms import Arms
from analysis.contrasts.cost import Costs, CostsByTask
from analysis.contrasts.sides import Comparison
from analysis.forms.law import FittedLaw
from analysis.gamma_star.records import FitResult
from analysis.show.arms_table import cells, head
from analysis.show.arms_table import sentences as of_arms
from analysis.show.console.law import sentences as of_law
from analysis.show.cost_sentences import sentences as of_costs
from analysis.show.html.fit import verdicts
from analysis.show.html.gallery import embedded
from analysis.show.html.grid import DIGITS, grid, grid_of
from analysis.tables.laws_json import Law
from analysis.tables.table import Table
from analysis.text import bracket, estimate, number

MOST_ROWS = 40


def shown(result: Any) -> str:
    """HTML of whatever `analysis` returns. Raises TypeError for anything else."""
    if isinstance(result, FitResult):
        return _fit(result)
    if isinstance(result, FittedLaw):
        return _law(result.law)
    if isinstance(result, Law):
        return _law(result)
    if isinstance(result, Arms):
        return grid(head(result), cells(result)) + _lines([*of_arms(result), result.how])
    if isinstance(result, CostsByTask):
        return "".join(f"<h4>{escape(c.task)}</h4>" * (len(result) > 1) + shown(c) for c in result)
    if isinstance(result, Costs):
        return _lines(of_costs(result))
    if isinstance(result, Comparison):
        return _comparison(result)
    if isinstance(result, Table):
        return _table(result)
    raise TypeError(f"{type(result).__name__} is no result of analysis")


def _fit(result: FitResult) -> str:
    from analysis.show.figures import law_line
    from analysis.show.figures.style import styled

    with styled():
        drawn = law_line.draw(result)
    figure = "" if isinstance(drawn, str) else embedded(drawn, "γ* against depth, by arm.")
    return verdicts(result) + figure


def _law(law: Law) -> str:
    rows = [
        [name, estimate(p.estimate, p.low, p.high, 5), "" if p.identified else "not identified"]
        for name, p in law.parameters.items()
    ]
    title = f"<p><b>{escape(law.law)}</b> {escape(law.form)}</p>"
    return (
        title
        + grid(["parameter", f"{100 * law.level:g} % interval", ""], rows)
        + _lines(of_law(law))
    )


def _comparison(found: Comparison) -> str:
    title = f"<p>A: {escape(found['a'])}<br>B: {escape(found['b'])}</p>"
    if "cells" not in found:
        arms = [[a["arm"], a["verdict"], *(estimate(p["estimate"], p["low"], p["high"])
                 for p in a["parameters"].values())] for a in found["published"]]  # fmt: skip
        return title + grid(["arm", "verdict", "a", "b"], arms)
    rows = [
        [*(number(r[c], DIGITS) for c in found["by"]), number(r["mean_a"], DIGITS),
         number(r["mean_b"], DIGITS), number(r["difference"], DIGITS),
         bracket(r["low"], r["high"], DIGITS)]
        for r in found["cells"]
    ]  # fmt: skip
    names = [*found["by"], f"{found['metric']} of A", "of B", "A - B", "95 %"]
    return title + grid(names, rows)


def _table(table: Table) -> str:
    runs: pd.DataFrame = table.runs
    columns = [c for c in ("arm", "task", "depth", "width", "gamma", "lr", "seed", "status",
                           table.primary.metric) if c in runs]  # fmt: skip
    count = f"<p>{escape(table.sweep)}: {len(runs)} runs of {table.expected}</p>"
    rest = f"<p>… and {len(runs) - MOST_ROWS} more</p>" if len(runs) > MOST_ROWS else ""
    return count + grid_of(runs.head(MOST_ROWS), columns) + rest


def _lines(sentences: list[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in sentences)
