"""What accuracy is left of trained models when their filter is changed at evaluation.

Guarantee: a panel an arm and depth, a row an intervention; a marker is the mean over the runs of a
γ and its bar their range. Runs at γ = 0 have no filter to change and are left out.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.show.figures import style
from analysis.show.figures.forensics.shared import gamma_colours, gamma_name, gammas_shown, of_gamma
from analysis.tables.probe import Forensics

NAMES = {
    "intact": "as trained", "double_gamma": "γ doubled", "half_gamma": "γ halved",
    "norm_matched": "norm-matched", "queries_off": "off on queries", "keys_off": "off on keys",
    "gain_only": "gain alone", "gamma_zero": "γ set to 0", "sign_flipped": "γ's sign flipped",
}  # fmt: skip


def draw(forensics: Forensics) -> Figure | str:
    """The figure, or why there is none."""
    causal = forensics["causal"]
    causal = causal[causal["gamma"] != 0]
    if not len(causal):
        return "causal checks: no probed run has a filter (γ = 0 in all)"
    gammas = gammas_shown(causal["gamma"])
    cells = list(causal.groupby(["arm", "depth"], sort=False))
    fig, axes = style.panels(len(cells), height=1.95, most=3, sharey=True)
    for index, (ax, ((arm, depth), runs)) in enumerate(zip(axes, cells, strict=True)):
        ax.axvline(runs["chance"].iloc[0], color=style.GREY, linewidth=0.8,
                   linestyle=(0, style.DASHES[1]))  # fmt: skip
        for i, gamma in enumerate(gammas):
            offset = 0.62 * ((i + 0.5) / len(gammas) - 0.5)
            _marks(ax, of_gamma(runs, gamma), gamma_colours(gammas)[i], style.marker(i), offset)
        ax.set_title(f"arm {arm}, depth {depth}")
        ax.set_xlim(-0.03, 1.03)
        ax.set_yticks(range(len(NAMES)), list(NAMES.values()))
        ax.grid(axis="y", color="#eeeeee", linewidth=0.6)
        ax.set_axisbelow(True)
        if index + ax.get_subplotspec().get_gridspec().ncols >= len(cells):
            ax.set_xlabel("accuracy (share correct)")
    axes[0].set_ylim(len(NAMES) - 0.4, -0.6)
    style.legend(fig, [
        *(Line2D([], [], color=c, marker=style.marker(i), markersize=3.5, linewidth=0.8,
                 label=gamma_name(g))
          for i, (g, c) in enumerate(zip(gammas, gamma_colours(gammas), strict=False))),
        Line2D([], [], color=style.GREY, linestyle=(0, style.DASHES[1]), label="chance"),
    ])  # fmt: skip
    return fig


def _marks(ax: Axes, runs, colour, marker: str, offset: float) -> None:
    left = runs.groupby("intervention")["accuracy"].agg(["mean", "min", "max"])
    left = left.reindex(list(NAMES))
    y = [i + offset for i in range(len(NAMES))]
    ax.hlines(y, left["min"], left["max"], color=colour, linewidth=0.8)
    ax.plot(left["mean"], y, marker, color=colour, markersize=3, linestyle="none")
