"""How often a run learns the task at all, against γ, per depth and arm.

Guarantee: drawn where some cells of an arm form in part of their seeds only; the bars are the
intervals of a proportion over seeds (the replicate is the seed, not the evaluation target),
shown where the seeds disagree.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from analysis.gamma_star.records import FitResult
from analysis.show.figures import style


def draw(result: FitResult) -> Figure | str:
    """The figure, or why there is none."""
    table = result.formation
    if not len(table):
        return "rate of formation: not computed (no accuracy in the table)"
    mixed = table[(table["formed"] > 0) & (table["formed"] < table["runs"])]
    arms = [a for a in result.arms if (mixed["arm"] == a).any()]
    if not arms:
        return "rate of formation: in every cell all seeds agree"
    fig, axes = style.panels(len(arms), height=2.0, most=3, sharey=True)
    depths = sorted(int(d) for d in table["depth"].unique())
    for ax, arm in zip(axes, arms, strict=True):
        rows = table[table["arm"] == arm]
        place = style.gamma_axis(ax, rows["gamma"])
        for depth, cells in rows.groupby("depth"):
            at = depths.index(int(depth))
            cells = cells.sort_values("gamma")
            x = place(cells["gamma"]) * 1.05 ** (at - (len(depths) - 1) / 2)
            ax.plot(
                x,
                cells["rate"],
                color=style.colour(at),
                marker=style.marker(at),
                linewidth=0.8,
                markersize=3,
            )
            some = ((cells["formed"] > 0) & (cells["formed"] < cells["runs"])).to_numpy()
            ax.vlines(
                x[some],
                cells["low"][some],
                cells["high"][some],
                color=style.colour(at),
                linewidth=0.6,
            )
        ax.set_ylim(-0.04, 1.04)
        ax.set_title(f"arm {arm}")
    axes[0].set_ylabel("share of seeds that learn")
    style.legend(fig, style.handles((f"depth {d}" for d in depths), markersize=3, linewidth=0.8))
    return fig
