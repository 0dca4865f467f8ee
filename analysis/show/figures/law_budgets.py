"""Isoflop curves with their minima, and the power law through them.

Guarantee: points outside the part of a budget's curve that was used are drawn lighter, and an
optimum at the edge of the sizes tried is hollow with an arrow, as the fit treats it: a bound.
"""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.forms.law import FittedLaw
from analysis.show.figures import style


def budgets(fitted: FittedLaw) -> Figure:
    """Loss against size, one colour a budget, with the smoothed curve and its minimum."""
    found = fitted.isoflop
    fig, axes = style.figure(1, 1, style.DOUBLE, 3.2)
    ax = axes[0, 0]
    ax.set_xscale("log")
    shades = colormaps["viridis"](np.linspace(0, 0.9, len(found.budgets)))
    for shade, budget in zip(shades, found.budgets, strict=True):
        used = budget.used
        ax.plot(budget.size[used], budget.loss[used], "o", color=shade, markersize=2.8)
        ax.plot(budget.size[~used], budget.loss[~used], "o", color=shade, markersize=2, alpha=0.25)
        m = budget.minimum
        ax.plot(
            np.exp(m.grid), np.exp(m.mean), color=shade, linewidth=0.9, label=f"{budget.flops:.3g}"
        )
        if m.kind == "interior":
            ax.plot(
                [np.exp(m.x)],
                [np.exp(m.y)],
                "*",
                color=style.COLOURS[1],
                markersize=7,
                markeredgewidth=0,
                zorder=5,
            )
        elif m.bound is not None:
            ax.plot(
                [np.exp(m.bound)],
                [np.exp(m.y)],
                "<" if m.kind == "left" else ">",
                zorder=5,
                markerfacecolor="white",
                markeredgecolor=style.COLOURS[1],
            )
    used = np.concatenate([b.loss[b.used] for b in found.budgets])
    ax.set_ylim(used.min() - 0.03 * np.ptp(used), used.max() + 0.03 * np.ptp(used))
    ax.set_xlabel(f"size {found.size}: {fitted.labels[found.size]} (log)")
    ax.set_ylabel(f"loss: {fitted.labels['L']}")
    style.log_ticks(ax, "x")
    handles = [
        Line2D(
            [], [], color=s, marker="o", markersize=2.8, linewidth=0.9, label=f"C = {b.flops:.3g}"
        )
        for s, b in zip(shades, found.budgets, strict=True)
    ]
    handles.append(
        Line2D(
            [],
            [],
            marker="*",
            color=style.COLOURS[1],
            linestyle="none",
            markersize=7,
            label="minimum",
        )
    )
    if any(b.minimum.kind != "interior" for b in found.budgets):
        handles.append(
            Line2D(
                [],
                [],
                marker="<",
                markerfacecolor="white",
                linestyle="none",
                markeredgecolor=style.COLOURS[1],
                label="minimum at an edge: a bound",
            )
        )
    style.legend(fig, handles)
    return fig


def optima(fitted: FittedLaw) -> Figure:
    """The optima against C with the fitted line and its band."""
    found = fitted.isoflop
    fig, axes = style.figure(1, 1, style.SINGLE, 2.6)
    ax = axes[0, 0]
    ax.set_xscale("log")
    ax.set_yscale("log")
    flops = np.array([b.flops for b in found.budgets])
    line = np.geomspace(flops.min() / 1.3, flops.max() * 1.3, 100)
    centre, low, high = found.size_at(line)
    ax.fill_between(line, low, high, color=style.COLOURS[0], alpha=0.18, linewidth=0)
    ax.plot(line, centre, color=style.COLOURS[0])
    red = style.COLOURS[1]
    for c, b in zip(flops, found.budgets, strict=True):
        m = b.minimum
        if m.kind == "interior":
            ax.plot(
                [c, c], np.exp([m.x - 1.96 * m.sd, m.x + 1.96 * m.sd]), color=red, linewidth=0.8
            )
            ax.plot([c], [np.exp(m.x)], "o", color=red, markersize=3.5)
        else:
            ax.plot(
                [c],
                [np.exp(m.bound)],
                "v" if m.kind == "left" else "^",
                markerfacecolor="white",
                markeredgecolor=red,
            )
    ax.set_xlabel(f"compute C: {fitted.labels['C']} (log)")
    ax.set_ylabel(f"best {found.size}: {fitted.labels[found.size]} (log)")
    style.log_ticks(ax, "x")
    style.log_ticks(ax, "y")
    p = fitted.law.parameters["exponent"]
    title = f"exponent {p.estimate:.4f}"
    if p.low is not None and p.high is not None:
        title += f" [{p.low:.4f}, {p.high:.4f}]"
    ax.set_title(title)
    style.legend(
        fig,
        [
            Line2D(
                [], [], marker="o", color=red, linewidth=0.8, markersize=3.5, label="optimum, 95 %"
            ),
            Line2D([], [], color=style.COLOURS[0], label="fitted, 95 % band"),
        ],
    )
    return fig
