"""Every figure of a table by name: `of_table` or `of_groups` draws, `write` writes.

Guarantee: a figure whose data are absent is not drawn, and one line says why; what is written is
a PNG and a PDF of each figure, nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analysis.gamma_star.records import FitResult
    from analysis.tables.table import Table

__all__ = ["figures", "of_groups", "of_table", "write"]


def figures(result: FitResult) -> dict[str, Figure | str]:
    """Name -> the figure, or one line on why it is not drawn."""
    from analysis.show.figures import (
        collapse,
        comparison,
        contours,
        divergence,
        formation,
        law_line,
        metric_curves,
        residuals,
        specification,
        training_time,
    )
    from analysis.show.figures.style import slug, styled

    drawn: dict[str, Figure | str] = {}
    with styled():
        drawn["gamma_star_law"] = law_line.draw(result)
        for arm, fit in result.arms.items():
            drawn[f"metric_vs_gamma_{slug(arm)}"] = metric_curves.draw(fit)
        drawn["contours"] = contours.draw(result)
        drawn["collapse"] = collapse.draw(result)
        drawn["comparison"] = comparison.draw(result)
        for arm in result.arms:
            drawn[f"specification_{slug(arm)}"] = specification.draw(result, arm)
        drawn["training_time"] = training_time.draw(result)
        drawn["formation"] = formation.draw(result)
        drawn["divergence"] = divergence.draw(result)
        for arm, fit in result.arms.items():
            drawn[f"residuals_{slug(arm)}"] = residuals.draw(fit)
    return marked(drawn, result)


def marked(drawn: dict[str, Figure | str], result: FitResult) -> dict[str, Figure | str]:
    """The same, with what is exploratory said across the head of each."""
    from analysis.show.figures.style import mark, styled

    if result.provenance.get("status") == "exploratory":
        with styled():
            for figure in drawn.values():
                if not isinstance(figure, str):
                    mark(figure, result.provenance["sentence"])
    return drawn


def of_training(table: Table, result: FitResult) -> dict[str, Figure | str]:
    """The metric over training: the runs of each arm that its curves in γ rest on, or that were lost."""
    from analysis.show.figures import training
    from analysis.show.figures.style import slug, styled

    drawn: dict[str, Figure | str] = {}
    with styled():
        for arm, fit in result.arms.items():
            seen = [c.observed for c in fit.curves]
            kept = {r for o in seen for r in o["run_id"][o["used"] | (o["status"] != "completed")]}
            runs = table.runs[table.runs["run_id"].isin(kept)]
            drawn[f"training_{slug(arm)}"] = training.draw(runs, table.curves, result.metric, arm)
    return marked(drawn, result)


def of_table(table: Table, result: FitResult) -> dict[str, Figure | str]:
    """All figures of one table and its fit: of training too, and of the probe that lies beside it."""
    from analysis.show.figures.forensics import figures as of_forensics
    from analysis.show.figures.style import styled
    from analysis.tables.probe import of_table as probe_of

    drawn, probed = {**figures(result), **of_training(table, result)}, probe_of(table)
    if probed is not None:
        with styled():
            drawn |= of_forensics(probed)
    return drawn


def of_groups(groups: dict[str, Table]) -> dict[str, Figure | str]:
    """What can be drawn of a table of several tasks: arms, costs and forensics of each.

    groups: by `analysis.tables.groups.load_groups`. Raises InputError where there is nothing to
    compare.
    """
    from analysis.contrasts.arms import compare_arms
    from analysis.contrasts.cost import costs
    from analysis.show.figures import arms, cost
    from analysis.show.figures.forensics import figures as of_forensics
    from analysis.show.figures.style import slug, styled
    from analysis.tables.probe import of_table as probe_of

    drawn: dict[str, Figure | str] = {}
    with styled():
        drawn |= arms.draw(compare_arms(groups))
        for label, table in groups.items():
            try:
                drawn[f"cost_{slug(label)}"] = cost.draw(costs(label, table))
            except InputError as error:
                drawn[f"cost_{slug(label)}"] = f"cost, {label}: {error}"
            probed = probe_of(table)
            if probed is not None:
                drawn |= {f"{k}_{slug(label)}": v for k, v in of_forensics(probed).items()}
    return drawn


def write(
    drawn: dict[str, Figure | str], out_dir: Path, say: Callable[[str], None] | None = None
) -> list[Path]:
    """Write each figure as PNG and PDF; `say` receives the line about each that is not drawn
    (standard error by default). Raises InputError where the folder can't be written."""
    from analysis.show.figures.style import save

    tell = say or (lambda line: print(line, file=sys.stderr))
    paths: list[Path] = []
    try:
        for name, figure in drawn.items():
            if isinstance(figure, str):
                tell(f"not drawn: {figure}")
            else:
                paths += save(figure, out_dir, name)
    except OSError as error:
        raise InputError(f"can't write figures to {out_dir}: {error.strerror or error}") from error
    return paths
