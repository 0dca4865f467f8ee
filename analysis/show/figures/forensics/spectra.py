"""Spectra of queries and keys along the sequence, before and after an arm's filter, by RoPE pair.

Guarantee: one γ of the arm, the one whose heads match prefixes best; of each of its runs the head
that does so most; power is the mean over runs, in one colour scale. The last panel of a row is
the gain at each pair's own rate θ, which is where a content that stays constant lies.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.show.figures import style
from analysis.show.figures.forensics.bode import STREAMS
from analysis.show.figures.forensics.shared import gamma_name, of_gamma
from analysis.tables.probe import Forensics, best_heads

PLACE = ["run_id", "layer", "head"]


def draw(forensics: Forensics, arm: str) -> Figure | str:
    """The figure of one arm, or why there is none."""
    best = best_heads(forensics)
    best = best[best["arm"] == arm]
    scores = best.groupby("gamma", dropna=False)["prefix_matching"].mean()
    if scores.notna().any():
        gamma = float(scores.idxmax())
    else:
        return f"arm {arm}: spectra: no head has a prefix-matching score to choose it by"
    heads = of_gamma(best, gamma)[PLACE]
    spectra = forensics["spectra"].merge(heads, on=PLACE)
    if not len(spectra):
        return f"arm {arm}: spectra: heads of one dimension have no RoPE pairs"
    streams = [s for s in STREAMS if (spectra["stream"] == s).any()]
    mean = spectra.groupby(["stream", "pair", "omega"])[
        ["theta", "power_before", "power_after"]].mean().reset_index()  # fmt: skip
    response = forensics["response"].merge(heads, on=PLACE)
    power = 10 * np.log10(np.maximum(mean[["power_before", "power_after"]].to_numpy(), 1e-30))
    high = power.max()
    scale = matplotlib.colors.Normalize(max(np.quantile(power, 0.01), high - 40), high)
    fig, axes = style.figure(len(streams), 3, style.DOUBLE, 2.0, width_ratios=(1, 1, 0.9))
    for row, stream in zip(axes, streams, strict=True):
        here = mean[mean["stream"] == stream]
        for ax, side in zip(row, ("before", "after"), strict=False):
            _heat(ax, here, side, scale)
            ax.set_title(f"{STREAMS[stream]} {side} the filter")
        row[0].set_ylabel("RoPE pair")
        _gain(row[2], here, response[response["stream"] == stream])
    for ax in axes[-1, :2]:
        ax.set_xlabel("frequency ω (radians a token)")
    axes[-1, 2].set_xlabel("pair's rate θ (radians a token)")
    bar = fig.colorbar(matplotlib.cm.ScalarMappable(scale, "viridis"), ax=axes[:, 1], pad=0.02,
                       extend="min", fraction=0.06)  # fmt: skip
    bar.set_label("power (dB re 1)")
    fig.suptitle(f"arm {arm}, {gamma_name(gamma)}", fontsize=8, x=0.01, ha="left")
    style.legend(fig, [
        Line2D([], [], color="white", markeredgecolor="black", marker="o", markersize=3.5,
               linestyle="none", label="the pair's rate θ: where constant content lies"),
        Line2D([], [], color="black", label="gain by theory, |H(θ)|"),
        Line2D([], [], color=style.COLOURS[1], marker="x", linestyle="none",
               label="√(power after / before) at θ"),
    ])  # fmt: skip
    return fig


def _heat(ax: Axes, mean: pd.DataFrame, side: str, scale) -> None:
    grid = mean.pivot(index="pair", columns="omega", values=f"power_{side}")
    step = grid.columns[1] - grid.columns[0]
    ax.pcolormesh(grid.columns, grid.index, 10 * np.log10(np.maximum(grid, 1e-30)), norm=scale,
                  cmap="viridis", shading="nearest", rasterized=True)  # fmt: skip
    rates = mean.groupby("pair")["theta"].first()
    ax.plot(rates, rates.index, "o", color="white", markeredgecolor="black", markersize=2.6,
            markeredgewidth=0.6, linestyle="none")  # fmt: skip
    ax.set_xlim(grid.columns[0] - step / 2, grid.columns[-1] + step / 2)
    ax.set_xticks([-np.pi, 0, np.pi], ["-π", "0", "π"])
    ax.invert_yaxis()


def _gain(ax: Axes, mean: pd.DataFrame, response: pd.DataFrame) -> None:
    rates = mean.groupby("pair")["theta"].first().sort_values()
    if (rates == 0).all():
        ax.text(0.5, 0.5, "no rotation at the filter:\nconstant content is DC", ha="center",
                va="center", fontsize=7, transform=ax.transAxes)  # fmt: skip
        ax.set_axis_off()
        return
    rows = mean.loc[(mean["omega"] - mean["theta"]).abs().groupby(mean["pair"]).idxmin()]
    ax.plot(rows["theta"], np.sqrt(rows["power_after"] / rows["power_before"]), "x",
            color=style.COLOURS[1], zorder=3)  # fmt: skip
    curve = response.groupby("omega")["magnitude_theory"].mean()
    theta = np.geomspace(rates.iloc[0], rates.iloc[-1], 200)
    ax.plot(theta, np.interp(theta, curve.index, curve), color="black", linewidth=0.9)
    ax.set_xscale("log")
    style.log_ticks(ax, "x")
    ax.set_ylabel("gain")
