"""Induction scores of heads against γ.

Guarantee: a marker is a run, at the score of its head that matches prefixes most; the line goes
through the means over runs.
"""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.show.figures import style
from analysis.show.figures.forensics.shared import depth_panels, runs_against_gamma
from analysis.tables.probe import Forensics, arms, best_heads

LABELS = {"prefix_matching": "prefix matching\n(share of attention)",
          "copying": "copying score\n(Σ Re λ / Σ |λ|)"}  # fmt: skip


def draw(forensics: Forensics, score: str) -> Figure | str:
    """The figure of one score, or why there is none."""
    best = best_heads(forensics)
    best = best.assign(value=best[score])[best[score].notna()]
    if not len(best):
        return f"{score.replace('_', ' ')}: no head has one (no token comes twice)"
    names = arms(forensics)
    fig, axes, place = depth_panels(best["depth"].unique(), best["gamma"])
    for depth, ax in axes.items():
        here = best[best["depth"] == depth]
        for i, arm in enumerate(names):
            shift = 1.05 ** (i - (len(names) - 1) / 2)
            runs_against_gamma(ax, here[here["arm"] == arm], place, style.colour(i),
                               style.marker(i), shift=shift)  # fmt: skip
        if score == "prefix_matching":
            ax.axhline(here["uniform"].mean(), color=style.GREY, linewidth=0.8,
                       linestyle=(0, style.DASHES[1]))  # fmt: skip
        ax.set_ylim(-0.04 if best["value"].min() >= 0 else -1.04, 1.04)
    next(iter(axes.values())).set_ylabel(LABELS[score])
    handles = [Line2D([], [], color=style.colour(i), marker=style.marker(i), markersize=3,
                      label=arm) for i, arm in enumerate(names)]  # fmt: skip
    if score == "prefix_matching":
        handles.append(Line2D([], [], color=style.GREY, linestyle=(0, style.DASHES[1]),
                              label="even attention"))  # fmt: skip
    style.legend(fig, handles)
    return fig
