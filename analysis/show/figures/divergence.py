"""Which runs diverged, over depth and γ: a map per arm.

Guarantee: every cell that was run is a tile with its count of diverged runs; a cell that was not
run is blank; an arm without any divergence has no panel and is named.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from analysis.gamma_star.records import FitResult
from analysis.show.figures import style


def draw(result: FitResult) -> Figure | str:
    """The figure, or why there is none."""
    table = result.divergence
    if not len(table) or not table["diverged"].sum():
        return "divergence map: no run diverged"
    lost = table.groupby("arm")["diverged"].sum()
    arms = [a for a in result.arms if lost.get(a, 0) > 0]
    calm = [a for a in result.arms if a not in arms]
    fig, axes = style.panels(len(arms), height=1.9, most=2)
    for ax, arm in zip(axes, arms, strict=True):
        cells = table[table["arm"] == arm].groupby(["depth", "gamma"])[["runs", "diverged"]].sum()
        depths = sorted(cells.index.get_level_values(0).unique())
        gammas = sorted(cells.index.get_level_values(1).unique())
        rate = np.full((len(depths), len(gammas)), np.nan)
        for (depth, gamma), row in cells.iterrows():
            i, j = depths.index(depth), gammas.index(gamma)
            rate[i, j] = row["diverged"] / row["runs"]
            if row["diverged"]:
                ax.text(
                    j,
                    i,
                    f"{row['diverged']:.0f}/{row['runs']:.0f}",
                    ha="center",
                    va="center",
                    fontsize=6 if len(gammas) <= 10 else 4.5,
                    color="white" if rate[i, j] < 0.6 else "black",
                )
        image = ax.imshow(rate, origin="lower", aspect="auto", cmap="cividis", vmin=0, vmax=1)
        step = max(1, -(-len(gammas) // 9))
        ax.set_xticks(range(0, len(gammas), step), [style.short(g) for g in gammas[::step]])
        ax.set_yticks(range(len(depths)), [style.short(d) for d in depths])
        ax.set_xlabel("momentum γ (grid values)")
        ax.set_ylabel("depth N (layers)")
        ax.set_title(f"arm {arm}")
    fig.colorbar(image, ax=axes, label="share diverged", aspect=25)
    if calm:
        fig.suptitle(f"no divergence: {', '.join(calm)}", fontsize=7, color=style.GREY)
    return fig
