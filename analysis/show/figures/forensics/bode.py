"""Bode magnitude and phase of an arm's filter: the formula, an impulse, and the model's own data.

Guarantee: lines are theory and marks are measured; the largest distance between them, over all
runs of the arm, stands in the figure.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.show.figures import style
from analysis.show.figures.forensics.shared import gamma_colours, gamma_name, gammas_shown, of_gamma
from analysis.tables.probe import Forensics

STREAMS = {"q": "queries", "k": "keys", "v": "values"}
EVERY = 16
"""Frequencies between two marks."""


def draw(forensics: Forensics, arm: str) -> Figure | str:
    """The figure of one arm: of the stream, layer and head its filter acts on most."""
    response = forensics["response"]
    response = response[response["arm"] == arm]
    # On keys before queries where both are filtered alike.
    apart = (response["magnitude_theory"] - 1).abs() + response["phase_theory"].abs()
    apart = apart.groupby([response["stream"], response["layer"], response["head"]]).max().round(9)
    stream, layer, head = apart.sort_index(ascending=[True, False, False]).idxmax()
    chosen = response[(response["stream"] == stream) & (response["layer"] == layer)
                      & (response["head"] == head)]  # fmt: skip
    fig, axes = style.figure(2, 1, style.SINGLE, 1.6, sharex=True)
    gammas = gammas_shown(chosen["gamma"])
    for gamma, colour in zip(gammas, gamma_colours(gammas), strict=False):
        runs = of_gamma(chosen, gamma)
        curve = runs[runs["run_id"] == runs["run_id"].iloc[0]].sort_values("omega")
        for ax, kind, unit in zip(
            axes[:, 0], ("magnitude", "phase"), (1, 180 / np.pi), strict=True
        ):
            ax.plot(curve["omega"], curve[f"{kind}_theory"] * unit, color=colour, linewidth=0.9)
            for begin, source, mark, face in ((0, "impulse", "o", "white"),
                                              (EVERY // 2, "sequences", "x", colour)):  # fmt: skip
                some = curve.iloc[begin::EVERY]
                ax.plot(some["omega"], some[f"{kind}_{source}"] * unit, mark, markersize=3.2,
                        markerfacecolor=face, markeredgecolor=colour, markeredgewidth=0.8)  # fmt: skip
    axes[0, 0].set_ylabel("magnitude (gain)")
    axes[1, 0].set_ylabel("phase (degrees)")
    axes[1, 0].set_xlabel("frequency ω (radians a token)")
    axes[1, 0].set_xticks(np.pi * np.arange(5) / 4, ["0", "π/4", "π/2", "3π/4", "π"])
    error = response[["error_impulse", "error_sequences"]].max()
    axes[0, 0].set_title(f"arm {arm}, {STREAMS[stream]}\nmeasured within "
                         f"{error.max():.0e} of theory", loc="left")  # fmt: skip
    style.legend(fig, [
        *(Line2D([], [], color=c, label=gamma_name(g))
          for g, c in zip(gammas, gamma_colours(gammas), strict=False)),
        Line2D([], [], color="black", linewidth=0.9, label="theory"),
        Line2D([], [], color="black", marker="o", markerfacecolor="white", markersize=3.2,
               linestyle="none", label="impulse"),
        Line2D([], [], color="black", marker="x", markersize=3.2, linestyle="none",
               label="sequences of a run"),
    ])  # fmt: skip
    return fig
