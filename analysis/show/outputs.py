"""The figures and the page of a table, written: the one way of `analysis.plot`, `analysis.report`
and their verbs.

Guarantee: a place that can't be written is refused before anything is fitted or drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from analysis.gamma_star.records import FitResult
from analysis.gamma_star.saved import beside, saved_or_fitted
from analysis.show.figures import of_groups, of_table, write
from analysis.show.html import page
from analysis.tables.files import check_place, write_whole
from analysis.tables.groups import groups_of, load_groups
from analysis.tables.read import Source
from analysis.tables.table import Table


def plot(
    table: Source | Table, out: str | Path | None = None, result: FitResult | None = None,
    where: str | None = None, partial: bool = False, say: Callable[[str], None] | None = None,
) -> list[Path]:  # fmt: skip
    """Draw every figure of a table into the folder `out` (default: figures/ beside it).

    result: its fit; without one the fit saved beside the table, else a new one. say: receives the
    line about each figure that is not drawn (standard error by default). Raises InputError.
    """
    groups = grouped(table, where)
    folder = Path(out) if out is not None else beside(groups, "figures")
    check_place(folder, folder=True)
    if len(groups) > 1:
        return write(of_groups(groups), folder, say)
    (one,) = groups.values()
    return write(of_table(one, result or saved_or_fitted(one, partial)), folder, say)


def report(
    table: Source | Table, out: str | Path | None = None, result: FitResult | None = None,
    where: str | None = None, partial: bool = False,
) -> Path:  # fmt: skip
    """Write one self-contained page (default: report.html beside the table). Arguments as `plot`'s."""
    groups = grouped(table, where)
    path = Path(out) if out is not None else beside(groups, "report.html")
    check_place(path)
    if len(groups) > 1:
        text = page.of_groups(groups)
    else:
        (one,) = groups.values()
        text = page.of_fit(one, result or saved_or_fitted(one, partial))
    write_whole(path, text)
    return path


def grouped(table: Source | Table, where: str | None = None) -> dict[str, Table]:
    """A table by task and budget, given by its path, its rows or as it is."""
    return (
        groups_of(table, where)
        if isinstance(table, Table)
        else load_groups(table, where, by_length=False)
    )
