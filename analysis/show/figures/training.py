"""The metric over training, a panel a depth (or an arm): every run a line, the formed ones solid.

Guarantee: each run whose evaluations stand in the curves is one line, in the colour of its γ (or of
its depth, where no γ varies); one that never learned the task is dashed, one that was lost ends in a cross.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.show.figures import style
from analysis.tables.curves import tracks
from analysis.tables.metrics import formed

MOST = 9  # entries of the colours in the legend
LOST = (0, (2, 1.5))


def draw(runs: pd.DataFrame, curves: pd.DataFrame, metric: str, arm: str = "") -> Figure | str:
    """The figure, or why there is none. runs: those of an arm, or of all where no γ is set; curves:
    an evaluation a row."""
    name = f"training curves{f', arm {arm}' if arm else ''}"
    curves = curves[curves["run_id"].isin(runs["run_id"])]
    metric = metric if metric in curves else "val_loss"
    curves = curves[np.isfinite(curves[metric].astype(float)) & (curves["step"] > 0)]
    if curves.empty:
        return f"{name}: no curves.parquet with evaluations of these runs beside the table"
    by_gamma = runs["gamma"].notna().any()
    panel, shade = ("depth", "gamma") if by_gamma else ("arm", "depth")
    places = sorted(runs[panel].unique())
    fig, axes = style.panels(len(places), height=1.8, sharex=True, sharey=True)
    shades = sorted(runs[shade].dropna().unique())
    coloured = colours(shades)
    learned = dict(zip(runs["run_id"], formed(runs), strict=True))
    lines = tracks(curves, metric)
    low, high = curves[metric].min(), curves[metric].max()
    logarithmic = metric != "accuracy" and low > 0 and high / low > 5
    for ax, place in zip(axes, places, strict=True):
        _panel(ax, runs[runs[panel] == place], lines, shade, coloured, learned)
        ax.set_title(f"depth {place}" if panel == "depth" else str(place))
    axes[0].set_xlim(0, curves["step"].max() * 1.02)
    if logarithmic:
        axes[0].set_yscale("log")
        axes[0].set_ylim(low / 1.3, high * 1.3)
        style.log_ticks(axes[0], "y")
    else:
        axes[0].set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low) + 1e-9)
    columns = axes[0].get_gridspec().ncols
    for ax in axes[::columns]:
        ax.set_ylabel(style.metric_label(metric))
    for ax in style.lowest(axes, columns):
        ax.set_xlabel("training step")
    _legend(fig, shades, coloured, "γ" if by_gamma else "depth", list(learned.values()), runs)
    if arm:
        fig.suptitle(f"arm {arm}", fontsize=8, x=0.01, ha="left")
    return fig


def colours(values: list[float]) -> Callable[[float], tuple]:
    """Grey for 0, then dark to light by rank."""
    above = [v for v in values if v != 0]
    shades = colormaps["viridis"](np.linspace(0, 0.9, max(len(above), 1)))
    known = dict(zip(above, map(tuple, shades), strict=False))
    return lambda value: known.get(value, (0.5, 0.5, 0.5, 1.0))


def _panel(
    ax: Axes, runs: pd.DataFrame, lines: dict[str, np.ndarray], shade: str,
    coloured: Callable[[float], tuple], learned: dict[str, bool],
) -> None:  # fmt: skip
    drawn, colour, dashes = [], [], []
    for run, value, status in runs[["run_id", shade, "status"]].itertuples(index=False):
        points = lines.get(run)
        if points is None:
            continue
        drawn.append(points)
        colour.append(coloured(value))
        dashes.append("solid" if learned[run] else LOST)
        if status != "completed":
            ax.plot(*points[-1], "x", color="black", markersize=4, zorder=4)
    ax.add_collection(
        LineCollection(drawn, colors=colour, linestyles=dashes, linewidths=0.7, alpha=0.85)
    )


def _legend(
    fig: Figure,
    shades: list,
    coloured: Callable,
    name: str,
    learned: list[bool],
    runs: pd.DataFrame,
) -> None:
    step = max(1, -(-len(shades) // MOST))
    shown = [*shades[::step], *(shades[-1:] if shades and (len(shades) - 1) % step else [])]
    handles = [Line2D([], [], color=coloured(v), label=f"{name} = {style.short(v)}") for v in shown]
    if not all(learned):
        handles.append(
            Line2D([], [], color="black", linewidth=0.9, linestyle=LOST, label="did not form")
        )
        if any(learned):
            handles.append(Line2D([], [], color="black", linewidth=0.9, label="formed"))
    if (runs["status"] != "completed").any():
        handles.append(
            Line2D([], [], marker="x", color="black", linestyle="none", label="diverged or failed")
        )
    style.legend(fig, handles)
