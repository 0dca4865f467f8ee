"""Laws and figures from saved tables: `load` a table, `fit` its law, `plot` it.

    table = analysis.load("results/demo/table.parquet")
    table.runs, table.curves            # DataFrames: a row a run, a row an evaluation
    fit = analysis.fit(table)           # shown as a page in a notebook
    analysis.plot(table, result=fit)

Every function takes a table, its path or a DataFrame of its rows, writes nothing unless it says so, and raises
`analysis.errors.InputError` in one line. Importing this package imports nothing heavy: each
function imports what it needs when called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.contrasts.arms import Arms
    from analysis.contrasts.cost import CostsByTask
    from analysis.contrasts.sides import Comparison
    from analysis.forms.law import FittedLaw
    from analysis.gamma_star.records import FitResult
    from analysis.tables.read import Source
    from analysis.tables.table import Table

__all__ = ["arms", "compare", "cost", "fit", "law", "load", "plot", "report"]


def load(
    source: Source, where: str | None = None, *, cluster: str | None = None,
    weights: str | None = None, scale: str = "log",
) -> Table:  # fmt: skip
    """Read and check a table of runs (Parquet, CSV or a DataFrame), or those of its rows that a
    condition such as "task == 'recall'" chooses. `.runs` and `.curves` are its DataFrames. cluster, weights: columns
    of what is one replicate and of each run's precision; scale "linear": the metric's own noise is
    even, not that of its logarithm."""
    from analysis.tables.table import load as load_table

    return load_table(source, where, cluster, weights, scale)


def fit(
    table: Source | Table, *, metric: str | None = None, form: str | None = None,
    window: float | None = None, hold_out: str = "deepest", partial: bool = False,
    explore: bool = True, predict: str | None = None,
) -> FitResult:  # fmt: skip
    """Fit γ*(N) to every arm of a table; see `analysis.gamma_star` for what comes back.

    metric, form, window (in ln γ, on either side of the best cell): the sweep's frozen ones by
    default. hold_out: "deepest" or a condition on depth and width. partial: fit an unfinished
    sweep, without a verdict. explore: the specification curve, training time and fungibility too.
    predict: "N=16", a depth whose γ* is asked for.
    """
    from analysis.gamma_star import fit as fit_gamma_star

    return fit_gamma_star(loaded(table), metric=metric, form=form, window=window, partial=partial,
                          hold_out=hold_out, explore=explore, predict=predict)  # fmt: skip


def law(
    form: str, data: Source, mapping: str | dict[str, str], *,
    loss: str | None = None, where: str | None = None, bootstrap: int = 0,
    hold_out: str | None = None, level: float = 0.95, seed: int = 0, cluster: str | None = None,
    weights: str | None = None, scale: str = "log", fix: str | None = None,
    tie: str | None = None, minimum: str | None = None, predict: str | None = None,
) -> FittedLaw:  # fmt: skip
    """Fit a published law form to anyone's table; see `analysis law --help` for the forms.

    mapping: a column or an expression for each of the form's names, as a dict or as
    "N=params,D=flops/(6*params),L=loss". loss: huber:DELTA, lad or l2. bootstrap: how many, for
    percentile intervals in place of profile likelihood. hold_out: rows to predict, not to fit. The
    rest are the flags of the same name: see `analysis law --help`.
    """
    from analysis.forms.choices import Choices
    from analysis.forms.law import fit_table

    return fit_table(form, data, mapping, Choices(
        loss, where, bootstrap, hold_out, level, seed, cluster, weights, scale, fix, tie, minimum,
        predict,
    ))  # fmt: skip


def compare(
    a: Source | Table, b: Source | Table, *, by: str | None = None,
    metric: str | None = None, where: str | None = None,
) -> Comparison:  # fmt: skip
    """Two tables side by side, or `b` an arm of `a`, or "published"; a sweep's name is a table too."""
    from analysis.contrasts.sides import compare_sides

    return compare_sides(a, b, by, metric, where)


def arms(
    table: Source | Table, *, reference: str | None = None, metric: str | None = None,
    where: str | None = None,
) -> Arms:  # fmt: skip
    """Every arm of a table, at settings chosen on other seeds; tasks may be mixed."""
    from analysis.contrasts.arms import compare_arms
    from analysis.show.outputs import grouped

    return compare_arms(grouped(table, where), reference, metric)


def cost(table: Source | Table, *, where: str | None = None) -> CostsByTask:
    """What a loss costs with momentum over what it costs without, an entry a task."""
    from analysis.contrasts.cost import CostsByTask, costs
    from analysis.show.outputs import grouped

    return CostsByTask(costs(label, part) for label, part in grouped(table, where).items())


def plot(
    table: Source | Table, out_dir: str | Path | None = None,
    result: FitResult | None = None,
) -> list[Path]:  # fmt: skip
    """Draw every figure of a table into `out_dir` (default: `figures/` beside it); returns the paths.

    result: its fit; without one the fit saved beside the table, else a new one.
    """
    from analysis.show.outputs import plot as draw

    return draw(table, out_dir, result)


def report(
    table: Source | Table, out: str | Path | None = None, result: FitResult | None = None
) -> Path:
    """Write one self-contained page (default: report.html beside the table); returns its path.

    result: its fit; without one the fit saved beside the table, else a new one.
    """
    from analysis.show.outputs import report as write

    return write(table, out, result)


def loaded(table: Source | Table) -> Table:
    """A table given by its path, its rows or as it is."""
    from analysis.tables.table import Table

    return table if isinstance(table, Table) else load(table)
