"""Laws and figures from saved tables: `load` a table, `fit` its law, `plot` it.

Importing this package imports nothing heavy: each function imports what it needs when called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.gamma_star.records import FitResult
    from analysis.tables.table import Table

__all__ = ["fit", "load", "plot"]


def load(path: str | Path, where: str | None = None) -> Table:
    """Read and check a table of runs (Parquet or CSV), or those of its rows that a condition such
    as "task == 'recall'" chooses. Raises `analysis.errors.InputError`."""
    from analysis.tables.table import load as load_table

    return load_table(path, where)


def fit(table: str | Path | Table, **choices: Any) -> FitResult:
    """Fit gamma*(N) to every arm of a table; `choices` are those of `analysis.gamma_star.fit`.

    Returns a `FitResult` (see `analysis.gamma_star`); writes nothing.
    Raises `analysis.errors.InputError` where the table can't be fitted.
    """
    from analysis.gamma_star import fit as fit_gamma_star

    return fit_gamma_star(loaded(table), **choices)


def plot(
    table: str | Path | Table,
    out_dir: str | Path | None = None,
    result: FitResult | None = None,
) -> list[Path]:
    """Draw every figure of a table into `out_dir` (default: `figures/` beside it); returns the paths.

    result: its fit; without one the fit saved beside the table, else a new one. Raises
    `analysis.errors.InputError` where the table can't be fitted or the folder can't be written.
    """
    from analysis.gamma_star.saved import saved_or_fitted
    from analysis.show.figures import plot as draw

    table = loaded(table)
    out = Path(out_dir) if out_dir is not None else table.path.with_name("figures")
    return draw(table, result if result is not None else saved_or_fitted(table), out)


def loaded(table: str | Path | Table) -> Table:
    """A table given by its path or as it is."""
    return load(table) if isinstance(table, str | Path) else table
