"""What the forensics' figures share: γ by colour, and runs against γ in a panel a depth."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.show.figures import style

MOST_GAMMAS = 5


def gammas_shown(gammas: pd.Series) -> list[float]:
    """Up to MOST_GAMMAS of a grid, its ends among them; NaN (learned, or no shear) comes last."""
    seen = np.unique(gammas.dropna())
    at = np.unique(np.linspace(0, len(seen) - 1, min(len(seen), MOST_GAMMAS)).round().astype(int))
    return [float(g) for g in seen[at]] + ([float("nan")] if gammas.isna().any() else [])


def gamma_colours(gammas: list[float]) -> list[tuple[float, ...]]:
    """Dark to light by γ (viridis without its yellow, which is too light on white)."""
    return [matplotlib.colormaps["viridis"](x) for x in np.linspace(0, 0.82, max(len(gammas), 2))]


def gamma_name(gamma: float) -> str:
    return "other taps" if np.isnan(gamma) else f"γ = {style.short(gamma)}"


def of_gamma(frame: pd.DataFrame, gamma: float) -> pd.DataFrame:
    """The rows at one γ; NaN is one of them."""
    return frame[frame["gamma"].isna() if np.isnan(gamma) else frame["gamma"] == gamma]


def depth_panels(depths: Iterable[int], gammas: pd.Series):
    """A figure with a panel a depth and γ along x: figure, {depth: axes}, the map γ -> x."""
    depths = sorted(depths)
    fig, axes = style.panels(len(depths), height=2.0, most=3, sharey=True)
    for index, (ax, depth) in enumerate(zip(axes, depths, strict=True)):
        lowest = index + ax.get_subplotspec().get_gridspec().ncols >= len(depths)
        place = style.gamma_axis(ax, gammas, label=lowest)
        ax.set_title(f"depth {depth}")
    return fig, dict(zip(depths, axes, strict=True)), place


def runs_against_gamma(
    ax: Axes, runs: pd.DataFrame, place, colour: str, marker: str, filled: bool = True,
    shift: float = 1.0,
) -> None:  # fmt: skip
    """`value` of each run as a marker, with its interval where `low` and `high` are there, and a
    line through the means; runs without one γ are a dotted level."""
    at, other = runs[runs["gamma"].notna()], runs[runs["gamma"].isna()]
    x = place(at["gamma"].to_numpy()) * shift
    face = colour if filled else "white"
    if "low" in at:
        ax.vlines(x, at["low"], at["high"], color=colour, linewidth=0.6)
    ax.plot(x, at["value"], marker, markersize=3, markerfacecolor=face, markeredgecolor=colour,
            markeredgewidth=0.7, alpha=0.9, zorder=3)  # fmt: skip
    means = at.groupby("gamma")["value"].mean()
    dashes = "solid" if filled else (0, style.DASHES[0])
    ax.plot(place(means.index.to_numpy()) * shift, means, color=colour, linewidth=0.9,
            linestyle=dashes)  # fmt: skip
    if len(other):
        ax.axhline(other["value"].mean(), color=colour, linewidth=0.9, linestyle=(0, (1, 1.5)))
