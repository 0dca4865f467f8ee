"""Laws and figures from saved tables: `load` a table, `fit` its law, `plot` it.

Importing this package imports nothing heavy: each function imports what it needs when called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.laws.gamma_star.outcome import FitResult
    from analysis.table import Table

__all__ = ["fit", "load", "plot"]


def load(path: str | Path, where: str | None = None) -> Table:
    """Read and check a table of runs (Parquet or CSV), or those of its rows that a condition such
    as "task == 'recall'" chooses. Raises `analysis.errors.InputError`."""
    from analysis.table import load as load_table

    return load_table(path, where)


def fit(table: str | Path | Table, **choices: Any) -> FitResult:
    """Fit gamma*(N) to every arm of a table; `choices` are those of `analysis.laws.gamma_star.fit`.

    Returns a `FitResult` (see `analysis.laws.gamma_star`); writes nothing.
    Raises `analysis.errors.InputError` where the table can't be fitted.
    """
    from analysis.laws.gamma_star import fit as fit_gamma_star

    return fit_gamma_star(load(table) if not hasattr(table, "runs") else table, **choices)


def plot(table: str | Path, out_dir: str | Path | None = None, result: FitResult | None = None):
    """Draw every figure of a table into `out_dir` (default: `figures/` beside it)."""
    from pathlib import Path

    from analysis.figures import plot as draw

    out = Path(out_dir) if out_dir is not None else Path(table).parent / "figures"
    return draw(table, result if result is not None else fit(table), out)
