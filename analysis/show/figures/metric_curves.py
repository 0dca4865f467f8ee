"""Metric against γ, one panel a depth: every seed, the fitted curve with its band, and γ*.

Guarantee: each run of the arm is on the figure, diverged ones as crosses on the upper edge; a dash
is the mean of a γ's runs on the scale that is fitted (ln of a loss or of an error rate); a γ* inside
the grid is a filled triangle with its 95 % interval, one at an edge is hollow, and where the valley
is flat its floor is drawn in the interval's place.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.gamma_star.records import DepthCurve, GammaStarFit
from analysis.show.figures import style
from analysis.show.figures.valley import flat
from analysis.tables.metrics import unscale


def draw(fit: GammaStarFit) -> Figure | str:
    """The figure, or why there is none."""
    curves = [c for c in fit.curves if len(c.observed)]
    if not curves:
        return f"arm {fit.arm}: no runs to draw the metric against γ"
    fig, axes = style.panels(len(curves), sharey=True)
    gammas = pd.concat([part["gamma"] for c in curves for part in _parts(c)])
    values = pd.concat([c.observed.loc[c.observed["used"], "value"] for c in curves])
    values = values[np.isfinite(values)]
    if not len(values):
        return f"arm {fit.arm}: no run has a finite {fit.metric} to draw against γ"
    widths = {c.width for c in curves}
    logarithmic = values.min() > 0 and values.max() / values.min() > 20
    for index, (ax, curve) in enumerate(zip(axes, curves, strict=True)):
        grid = ax.get_subplotspec()
        lowest = grid.is_last_row() or index + grid.get_gridspec().ncols >= len(curves)
        place = style.gamma_axis(ax, gammas, label=lowest)
        if logarithmic:
            ax.set_yscale("log")
        _panel(ax, curve, place)
        title = f"depth {curve.depth}" + (f", width {curve.width}" if len(widths) > 1 else "")
        ax.set_title(title)
        if grid.is_first_col():
            ax.set_ylabel(style.metric_label(fit.metric))
    axes[0].set_ylim(*_range(curves, logarithmic))
    if logarithmic:
        style.log_ticks(axes[0], "y")
    _legend(fig, curves)
    fig.suptitle(f"arm {fit.arm}", fontsize=8, x=0.01, ha="left")
    return fig


def _parts(curve: DepthCurve) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs that were fitted and those that were lost; runs that only tuned are neither."""
    used = curve.observed["used"]
    return curve.observed[used], curve.observed[~used & (curve.observed["status"] != "completed")]


def _range(curves: list[DepthCurve], logarithmic: bool) -> tuple[float, float]:
    """What the runs and the fits span, with a margin: a band as wide as ignorance is cut there."""
    values = np.concatenate(
        [np.asarray(c.observed.loc[c.observed["used"], "value"], float) for c in curves]
        + [np.asarray(c.fitted, float) for c in curves]
    )
    values = values[np.isfinite(values)]
    if logarithmic:
        values = np.log(values[values > 0])
    margin = 0.15 * (np.ptp(values) or 1.0)
    low, high = values.min() - margin, values.max() + margin
    return (np.exp(low), np.exp(high)) if logarithmic else (low, high)


def _panel(ax: Axes, curve: DepthCurve, place) -> None:
    blue, red = style.COLOURS[0], style.COLOURS[1]
    runs = curve.observed
    used, lost = _parts(curve)
    ax.plot(
        place(used["gamma"]),
        used["value"],
        "o",
        markersize=2.6,
        markerfacecolor="none",
        markeredgecolor=blue,
        markeredgewidth=0.6,
        alpha=0.9,
        zorder=3,
    )
    for _, group in used.groupby("gamma"):
        ax.plot(
            place(group["gamma"])[:1],
            unscale(np.array([group["y"].mean()]), curve.metric),
            "_",
            color=blue,
            markersize=7,
            zorder=3,
        )
    if len(lost):
        ax.plot(
            place(lost["gamma"]),
            np.full(len(lost), 0.98),
            "x",
            color="black",
            markersize=4,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            zorder=4,
        )
    if len(curve.gamma):
        ax.fill_between(curve.gamma, curve.low, curve.high, color=blue, alpha=0.18, linewidth=0)
        ax.plot(curve.gamma, curve.fitted, color=blue)
    best = curve.optimum
    foot = ax.get_xaxis_transform()
    if best.kind == "interior" and best.gamma is not None:
        level = flat(best)
        ends = (best.plateau_low, best.plateau_high) if level else (best.low, best.high)
        edges = ax.get_xlim()
        ends = tuple(edge if end is None else end for end, edge in zip(ends, edges, strict=True))
        ax.axvspan(*ends, color=style.GREY if level else red, alpha=0.15, linewidth=0, zorder=0)
        if not level:
            ax.axvline(best.gamma, color=red, linewidth=0.9, zorder=1)
        ax.plot([best.gamma], [0.03], "^", color=red, transform=foot, zorder=5,
                markerfacecolor="white" if level else red)  # fmt: skip
    elif best.kind in {"left", "right"}:
        edge = best.bound_high if best.kind == "left" else best.bound_low
        if edge is None:
            positive = runs.loc[runs["gamma"] > 0, "gamma"]
            edge = positive.min() if best.kind == "left" else positive.max()
        ax.axvline(edge, color=red, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        ax.plot(
            [edge],
            [0.03],
            "<" if best.kind == "left" else ">",
            transform=foot,
            zorder=5,
            markerfacecolor="white",
            markeredgecolor=red,
        )


def _legend(fig: Figure, curves: list[DepthCurve]) -> None:
    blue, red = style.COLOURS[0], style.COLOURS[1]
    kinds = {c.optimum.kind for c in curves}
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            color=blue,
            linestyle="none",
            markerfacecolor="none",
            markersize=3,
            label="one run (seed); dash: their mean, as fitted",
        ),
    ]
    if any(len(c.gamma) for c in curves):
        handles.append(Line2D([], [], color=blue, label="fit, 95 % band"))
    inside = [flat(c.optimum) for c in curves if c.optimum.kind == "interior"]
    if not all(inside):
        handles.append(Line2D([], [], marker="^", color=red, label="γ*, 95 % interval"))
    if any(inside):
        handles.append(
            Patch(
                color=style.GREY, alpha=0.2, linewidth=0, label="flat valley: within ε of the best"
            )
        )
        handles.append(
            Line2D(
                [],
                [],
                marker="^",
                color=red,
                markerfacecolor="white",
                linestyle="none",
                label="γ* of the fit there",
            )
        )
    if kinds & {"left", "right"}:
        side = ">" if "right" in kinds else "<"
        handles.append(
            Line2D(
                [],
                [],
                marker=side,
                color=red,
                markerfacecolor="white",
                linestyle=(0, (2, 2)),
                label="γ* at the grid's edge or beyond",
            )
        )
    if "none" in kinds:
        where = ", ".join(str(c.depth) for c in curves if c.optimum.kind == "none")
        handles.append(Line2D([], [], linestyle="none", label=f"no optimum: depth {where}"))
    if any(len(_parts(c)[1]) for c in curves):
        handles.append(
            Line2D([], [], marker="x", color="black", linestyle="none", label="diverged or failed")
        )
    style.legend(fig, handles)
