"""One depth's runs as a matrix seed x gamma on the metric's scale, with the noise of each cell.

The replicate is the seed: runs that share a seed share data and initialisation, so what varies
between seeds within a cell is the noise, and several runs of one seed in a cell count as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.tables.metrics import Scaled
from analysis.tables.table import LINEAR, UNIT, WEIGHT

# Prior degrees of freedom that pull a cell's variance to the depth's own: cells have 2-8 seeds,
# too few to weight by their own variance alone (docs/notebook.md, "weights").
PRIOR_DF = 4.0
# Share of the rise above the best cell by which a curve's form may be wrong.
FORM_ERROR = 0.1
# With one seed a cell the noise isn't known; 10 % of the loss only sets how weakly the ridge pulls.
GUESS = 0.01


@dataclass(frozen=True, eq=False)
class Cells:
    """y (S, G) on the metric's scale, NaN where absent; censored (S, G): true y is larger."""

    depth: int
    width: int
    gamma: np.ndarray
    seeds: np.ndarray
    y: np.ndarray
    censored: np.ndarray
    variance: np.ndarray
    ceiling: float | None
    noise_df: int
    weight: np.ndarray | None = None
    """(S, G): precisions of y, on average 1 (None: all the same)."""

    @property
    def form_error(self) -> np.ndarray:
        """Variance (G,) allowed to the curve's form itself, growing with the rise above the best:
        what is far up the flanks must not decide where the bottom lies."""
        mean, _ = plain_means(self.y)
        return (FORM_ERROR * (mean - np.nanmin(mean))) ** 2

    @property
    def positive(self) -> np.ndarray:
        """Which gammas are above 0 (the curve's range)."""
        return self.gamma > 0

    def means(self, y: np.ndarray | None = None, leave_out: bool = False):
        """Cell means and their weights (1/variance of the mean, 0 for empty cells), (G,); with
        leave_out (S, G): each seed left out in turn."""
        y = self.y if y is None else y
        each = np.isfinite(y) * (1.0 if self.weight is None else self.weight)
        values = np.where(each > 0, y, 0.0) * each
        total, count = values.sum(0), each.sum(0)
        if leave_out:
            total, count = total - values, count - each
            count = np.where(count > 1e-9 * each.max(), count, 0.0)
        mean = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
        return mean, count / (self.variance + count * self.form_error)


def cells_of(
    runs: pd.DataFrame, scaled: Scaled, use: np.ndarray, least: float = 0.0
) -> list[Cells]:
    """The cells of each (depth, width), ascending. use (R,) bool: rows that count; least: the least
    gamma that does (-inf: every sign)."""
    gammas = runs["gamma"].to_numpy(float)
    replicate = UNIT if UNIT in runs.columns else "seed"
    keep = use & np.isfinite(scaled.y) & (gammas >= least)
    depth, width, seed = (runs[c].to_numpy()[keep] for c in ("depth", "width", replicate))
    gamma, value, late = gammas[keep], scaled.y[keep], scaled.censored[keep]
    precision = runs[WEIGHT].to_numpy(float)[keep] if WEIGHT in runs.columns else None
    groups = []
    for w, d in sorted(set(zip(width.tolist(), depth.tolist(), strict=True))):
        mine = (width == w) & (depth == d)
        seeds, row = np.unique(seed[mine], return_inverse=True)
        grid, column = np.unique(gamma[mine], return_inverse=True)
        total, count = np.zeros((2, len(seeds), len(grid)))
        np.add.at(total, (row, column), value[mine])
        np.add.at(count, (row, column), 1)
        y = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        censored = np.zeros(y.shape, bool)
        np.logical_or.at(censored, (row, column), late[mine])
        weight = None
        if precision is not None:
            weight = np.zeros(y.shape)
            np.add.at(weight, (row, column), precision[mine])
            weight /= np.maximum(count, 1)  # runs of one seed in a cell are one
        if LINEAR in runs.columns:
            weight = (1.0 if weight is None else weight) * even_in_the_metric(y)
        if weight is not None:
            weight = np.where(count > 0, weight, 0.0) / weight[count > 0].mean()
        variance, df = cell_variance(y, weight)
        groups.append(Cells(int(d), int(w), grid, seeds, y, censored, variance, scaled.ceiling, df,
                            weight))  # fmt: skip
    return groups


def even_in_the_metric(y: np.ndarray) -> np.ndarray:
    """Precisions of y = ln(metric) (S, G) where the metric's own noise is even: its square, a cell's
    typical one, since a run's own would go with its luck. Least squares on y under them is, to first
    order, least squares on the metric."""
    typical = np.array([np.median(v[np.isfinite(v)]) if np.isfinite(v).any() else 0.0 for v in y.T])
    return np.broadcast_to(np.exp(2 * (typical - typical.max())), y.shape)


def plain_means(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds (G,), NaN for empty cells, and counts (G,)."""
    count = np.isfinite(y).sum(0)
    total = np.where(np.isfinite(y), y, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), count


def cell_variance(y: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, int]:
    """Variance of one run of weight 1 in each cell (G,), shrunk to the depth's typical one, and its df.

    The median is added so that a cell whose seeds happen to agree, or one stuck at chance, can't
    dominate the curve. Without replicates: GUESS everywhere, df 0.
    """
    mean, count = plain_means(y)
    df = np.maximum(count - 1, 0)
    if df.sum() == 0:
        return np.full(y.shape[1], GUESS), 0
    if weight is None:
        squares = np.nansum((y - mean) ** 2, axis=0)
    else:
        each = np.where(np.isfinite(y), weight, 0.0)
        mean = np.nansum(each * y, axis=0) / np.where(count > 0, each.sum(0), 1.0)
        squares = np.nansum(each * (y - mean) ** 2, axis=0)
    own = np.where(df > 0, squares / np.maximum(df, 1), np.nan)
    typical = max(float(np.nanmedian(own)), 1e-3 * float(np.nanmean(own)), 1e-10)
    shrunk = (PRIOR_DF * typical + squares) / (PRIOR_DF + df)
    return shrunk + typical, int(df.sum())
