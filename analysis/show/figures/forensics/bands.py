"""How far content and momentum share bands, and where their energy lies, against γ.

Guarantee: a marker is a run (mean over its layers and heads), a bar its 95 % interval by bootstrap
over sequences; the line goes through the means over runs.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.show.figures import style
from analysis.show.figures.forensics.shared import depth_panels, runs_against_gamma
from analysis.tables.probe import Forensics, arms

SHARES = {"low_content": "content (into the filter)", "low_momentum": "momentum (its difference)",
          "low_filtered": "out of the filter"}  # fmt: skip


def draw_overlap(forensics: Forensics) -> Figure | str:
    """Overlap of the spectra of content and momentum: every arm, queries and keys."""
    runs, flat = _runs(forensics, ["overlap"]), _runs(forensics, ["overlap_flat"])
    if not len(runs):
        return "overlap of bands: no head has energy in its queries or keys"
    names = arms(forensics)
    fig, axes, place = depth_panels(runs["depth"].unique(), runs["gamma"])
    for depth, ax in axes.items():
        level = flat.loc[flat["depth"] == depth, "value"].mean()
        ax.axhline(level, color=style.GREY, linewidth=0.8, linestyle=(0, style.DASHES[1]))
        for i, arm in enumerate(names):
            for stream, filled in (("q", False), ("k", True)):
                here = runs[(runs["depth"] == depth) & (runs["arm"] == arm)
                            & (runs["stream"] == stream)]  # fmt: skip
                shift = 1.05 ** (i - (len(names) - 1) / 2)
                runs_against_gamma(ax, here, place, style.colour(i), style.marker(i), filled, shift)
        ax.set_ylim(0, 1)
    next(iter(axes.values())).set_ylabel("overlap of content and\nmomentum (share of energy)")
    style.legend(fig, [
        *(Line2D([], [], color=style.colour(i), marker=style.marker(i), markersize=3, label=arm)
          for i, arm in enumerate(names)), *_streams(),
        Line2D([], [], color=style.GREY, linestyle=(0, style.DASHES[1]), label="if content were flat"),
    ])  # fmt: skip
    return fig


def draw_shares(forensics: Forensics, arm: str) -> Figure | str:
    """Share of energy in the low band of an arm's content, momentum and filtered signal."""
    runs = _runs(forensics, list(SHARES))
    runs = runs[runs["arm"] == arm]
    if not len(runs):
        return f"arm {arm}: bands: no head has energy in its queries or keys"
    fig, axes, place = depth_panels(runs["depth"].unique(), runs["gamma"])
    for depth, ax in axes.items():
        for i, quantity in enumerate(SHARES):
            for stream, filled in (("q", False), ("k", True)):
                here = runs[(runs["depth"] == depth) & (runs["quantity"] == quantity)
                            & (runs["stream"] == stream)]  # fmt: skip
                runs_against_gamma(ax, here, place, style.colour(i), style.marker(i), filled)
        ax.set_ylim(0, 1)
    next(iter(axes.values())).set_ylabel("share of energy below π/2")
    fig.suptitle(f"arm {arm}", fontsize=8, x=0.01, ha="left")
    style.legend(fig, [
        *(Line2D([], [], color=style.colour(i), marker=style.marker(i), markersize=3, label=name)
          for i, name in enumerate(SHARES.values())), *_streams(),
    ])  # fmt: skip
    return fig


def _streams() -> list[Line2D]:
    return [
        Line2D([], [], color=style.GREY, marker="o", markersize=3, label="keys"),
        Line2D([], [], color=style.GREY, marker="o", markersize=3, markerfacecolor="white",
               linestyle=(0, style.DASHES[0]), label="queries"),
    ]  # fmt: skip


def _runs(forensics: Forensics, quantities: list[str]) -> pd.DataFrame:
    bands = forensics["bands"]
    bands = bands[bands["quantity"].isin(quantities)]
    by = ["run_id", "arm", "depth", "gamma", "stream", "quantity"]
    return (
        bands.groupby(by, dropna=False, sort=False)[["value", "low", "high"]]
        .mean()
        .dropna()
        .reset_index()
    )
