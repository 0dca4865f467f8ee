"""The cost of each loss with momentum over its cost without, against the loss, a panel a unit.

Guarantee: a bar is the 95 % interval over seeds, the choice of configuration included, with an arrow
where nothing bounds it; where one side never reached the loss, the bound is drawn as a hollow triangle that points where the ratio
lies.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.contrasts.cost import UNITS, Costs
from analysis.show.figures import style


def draw(found: Costs) -> Figure | str:
    """The figure, or why there is none."""
    arms = shown(found)
    units = [u for u in UNITS if any(r["unit"] == u for r in found.rows)]
    if not arms:
        return f"iso-quality cost{': ' if found.task else ''}{found.task}: no loss is reached"
    fig, axes = style.figure(1, len(units), style.DOUBLE if len(units) > 1 else style.SINGLE, 2.3)
    for ax, unit in zip(axes[0], units, strict=True):
        for at, arm in enumerate(arms):
            rows = [r for r in found.rows if (r["arm"], r["unit"]) == (arm, unit)]
            _line(ax, rows, style.colour(at), style.marker(at))
        ax.axhline(1, color=style.GREY, linewidth=0.8, zorder=0)
        ax.set_xscale("log")
        ax.set_yscale("log")
        losses = [r["loss"] for r in found.rows]
        ax.set_xlim(max(losses) * 1.15, min(losses) / 1.15)  # training goes to the right
        low, high = ax.get_ylim()
        if high < 2 * low:  # nothing but 1, as parameters at one depth
            ax.set_ylim(low / 2, high * 2)
        style.log_ticks(ax, "x")
        style.log_ticks(ax, "y")
        ax.set_title(f"{UNITS[unit]}, with over without")
        ax.set_xlabel("loss to reach (nats, log)")
    axes[0, 0].set_ylabel("cost ratio (log)")
    handles = style.handles(arms, markersize=3)
    if any(r["reached"] != "both" for r in found.rows if r["arm"] in arms):
        handles.append(Line2D([], [], color=style.GREY, marker="v", markerfacecolor="white", linestyle="none",
                              label="bound: the other side never got there"))  # fmt: skip
    style.legend(fig, handles)
    if len(arms) < len({r["arm"] for r in found.rows}):
        fig.suptitle(
            f"the {len(arms)} arms that reach the least loss", fontsize=7, color=style.GREY
        )
    return fig


def shown(found: Costs) -> list[str]:
    """The arms to draw: all, or as many as there are colours, those that reach the least loss."""
    least: dict[str, float] = {}
    for r in found.rows:
        if r["reached"] != "without":
            least[r["arm"]] = min(least.get(r["arm"], np.inf), r["loss"])
    best = set(sorted(least, key=least.__getitem__)[: len(style.COLOURS)])
    return [arm for arm in dict.fromkeys(r["arm"] for r in found.rows) if arm in best]


def _line(ax: Axes, rows: list[dict], colour: str, marker: str) -> None:
    both = [r for r in rows if r["reached"] == "both"]
    x = [r["loss"] for r in both]
    ax.plot(x, [r["ratio"] for r in both], color=colour, marker=marker, markersize=2.5, linewidth=1)
    for r in both:
        if (r["low"], r["high"]) != (None, None):
            style.whisker(ax, r["loss"], r["ratio"], (r["low"], r["high"]), colour, width=0.5)
    for kind, end, shape in (("with momentum", "high", "v"), ("without", "low", "^")):
        part = [r for r in rows if r["reached"] == kind and r[end] is not None]
        ax.plot([r["loss"] for r in part], [r[end] for r in part], color=colour, marker=shape,
                markersize=3.5, markerfacecolor="white", linestyle="none")  # fmt: skip
