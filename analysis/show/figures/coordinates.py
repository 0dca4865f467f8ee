"""Sizes of activations at the start, and of their change over the first steps, against width or depth.

Guarantee: a dot is a run, the line goes through the means over seeds, and a dashed line has the power
that theory says, through the middle of those means; a size that is not finite is not drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.show.figures import style

SAID = {"start": "at the start", "update": "change"}
COLUMNS = 3


def draw(sizes: pd.DataFrame, powers: pd.DataFrame, axis: str) -> Figure | str:
    """The figure of one axis (width or depth), or why there is none.

    sizes: a row a run and quantity, with `start` and `update`; powers: a row a line, with `theory` (NaN:
    nothing is said).
    """
    powers = powers[powers["axis"] == axis]
    if powers.empty:
        return f"coordinates: no two runs differ in {axis} alone"
    other = "depth" if axis == "width" else "width"
    series = list(dict.fromkeys(powers[["arm", "parametrisation", other]].itertuples(index=False, name=None)))  # fmt: skip
    quantities = list(dict.fromkeys(powers["quantity"]))
    rows = -(-len(quantities) // COLUMNS)
    fig, axes = style.figure(2 * rows, COLUMNS, style.DOUBLE, 1.5, sharex=True)
    for i, when in enumerate(SAID):
        for j, quantity in enumerate(quantities):
            ax = axes[i * rows + j // COLUMNS, j % COLUMNS]
            ax.set_title(f"{quantity}, {SAID[when]}")
            part = powers[(powers["quantity"] == quantity) & (powers["when"] == when)]
            for k, (arm, how, size) in enumerate(series):
                mine = sizes[(sizes["arm"] == arm) & (sizes["parametrisation"] == how)
                             & (sizes[other] == size) & (sizes["quantity"] == quantity)]  # fmt: skip
                power = part[(part["arm"] == arm) & (part["parametrisation"] == how)
                             & (part[other] == size)]["theory"]  # fmt: skip
                _line(ax, mine[axis], mine[when], k, *power)
            ax.set_xscale("log", base=2)
            ax.set_yscale("log")
            low, high = ax.get_ylim()
            if high < 2 * low:  # what is flat looks flat
                middle = (low * high) ** 0.5
                ax.set_ylim(middle / 2**0.5, middle * 2**0.5)
            style.log_ticks(ax, "x", sizes[axis].unique())
            style.log_ticks(ax, "y")
        for spare in range(len(quantities), rows * COLUMNS):
            axes[i * rows + spare // COLUMNS, spare % COLUMNS].remove()
    style.lowest(fig.axes, COLUMNS)
    for ax in fig.axes[-COLUMNS:]:
        ax.set_xlabel(axis)
    fig.supylabel("root mean square", fontsize=8)
    several = powers["arm"].nunique() > 1
    sized = powers[other].nunique() > 1
    labels = [
        how + (f", {arm}" if several else "") + (f", {other} {size}" if sized else "")
        for arm, how, size in series
    ]
    theory = Line2D(
        [], [], color=style.GREY, linestyle=(0, style.DASHES[1]), label="as theory has it"
    )
    style.legend(fig, [*style.handles(labels, markersize=3), theory])
    return fig


def _line(ax: Axes, x: pd.Series, y: pd.Series, at: int, theory: float | None = None) -> None:
    ok = np.isfinite(y) & (y > 0)
    x, y = x[ok].to_numpy(float), y[ok].to_numpy(float)
    if not len(x):
        return
    ax.plot(x, y, color=style.colour(at), marker=".", markersize=2, linestyle="none", alpha=0.4)
    mean = pd.Series(y).groupby(x).mean()
    ax.plot(
        mean.index, mean, color=style.colour(at), marker=style.marker(at), markersize=3, linewidth=1
    )
    if theory is not None and np.isfinite(theory):
        ends = np.array([x.min(), x.max()])
        middle = np.exp(np.log(mean).mean() - theory * np.log(mean.index.to_numpy(float)).mean())
        ax.plot(
            ends,
            middle * ends**theory,
            color=style.GREY,
            linestyle=(0, style.DASHES[1]),
            linewidth=0.8,
        )
