"""Sections that compare rather than fit: the arms, what a loss costs, and
trained models opened."""

from __future__ import annotations

from html import escape

from analysis.errors import InputError
from analysis.show.html.gallery import embedded, gallery
from analysis.show.html.grid import grid
from analysis.tables.table import Table

LEAST_ARMS = 3  # below, the curves say it all


def compared(groups: dict[str, Table]) -> str:
    """Every arm at the setting other seeds chose, where there are several tasks or many arms."""
    from analysis.contrasts.arms import compare_arms
    from analysis.show.arms_table import cells, head, sentences
    from analysis.show.figures import arms as figure
    from analysis.show.figures.style import styled

    most = max(t.runs["arm"].nunique() for t in groups.values())
    if most < LEAST_ARMS and len(groups) < 2:
        return ""
    found = compare_arms(groups)
    text = ["<h2>Arms side by side</h2>", grid(head(found), cells(found))]
    text += [f"<p>{escape(line)}.</p>" for line in sentences(found)]
    with styled():
        drawn = figure.draw(found)
    for name, fig in drawn.items():
        task = name.removeprefix("arms").strip("_")
        text.append(embedded(fig, f"Every arm at its chosen setting{', ' + task if task else ''}."))
    text.append(f"<p class='quiet'>{escape(found.how)}.</p>")
    if len(groups) > 1:
        text.append("<p class='quiet'>γ*(N) is a law of one task at one budget: "
                    "<code>analysis report --where</code> fits one of them.</p>")  # fmt: skip
    return "".join(text)


def priced(groups: dict[str, Table]) -> str:
    """What a loss costs with momentum and without; nothing where there are no curves."""
    from analysis.contrasts.cost import costs
    from analysis.show.cost_sentences import HEAD, cells
    from analysis.show.figures import cost as figure
    from analysis.show.figures.style import styled

    text = []
    for label, table in groups.items():
        try:
            found = costs(label, table)
        except InputError:  # no curves, or one side only: the verb says so, a report leaves it out
            continue
        text.append(
            (f"<h3>{escape(label)}</h3>" if len(groups) > 1 else "") + grid(HEAD, cells(found))
        )
        text += [f"<p class='quiet'>{escape(note)}.</p>" for note in found.notes]
        with styled():
            drawn = figure.draw(found)
        if not isinstance(drawn, str):
            text.append(embedded(drawn, f"Cost of a loss with momentum over its cost without, {label}: "
                                        "the cheapest configuration of either side, judged on other "
                                        "seeds than chose it; bars: 95 %, an arrow where nothing bounds them."))  # fmt: skip
    return "<h2>What a loss costs</h2>" + "".join(text) if text else ""


def probed(groups: dict[str, Table]) -> str:
    """The forensics' figures, where `orchestrator probe` wrote its tables beside the sweep's."""
    from analysis.show.figures.forensics import figures
    from analysis.show.figures.style import styled
    from analysis.tables.probe import of_table

    text = []
    for label, table in groups.items():
        found = of_table(table)
        if found is not None:
            task = f": {escape(label)}" if len(groups) > 1 else ""
            with styled():
                text.append(f"<h2>Trained models, opened{task}</h2>" + gallery(figures(found)))
    return "".join(text)
