"""Does momentum act through an effective depth? N_eff/N against γ, one line a depth.

Guarantee: if momentum entered only through N·h(γ), the depths' lines would lie on one curve; the
intervals that say whether they do are drawn, and runs beyond the γ = 0 arm's range are counted.
"""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.gamma_star.records import FitResult
from analysis.show.figures import style


def draw(result: FitResult) -> Figure | str:
    """The figure, or why there is none."""
    defined = {
        a: f
        for a, f in (result.fungibility or {}).items()
        if f.defined and len(f.effective) and (f.effective["place"] == "inside").any()
    }
    if not defined:
        why = next((f.sentences[0] for f in (result.fungibility or {}).values() if f.sentences), "")
        return f"collapse against N_eff: {why or 'no exchange was computed'}"
    fig, axes = style.panels(len(defined), height=2.3, most=3, sharey=True)
    depths = sorted(
        {
            int(d)
            for f in defined.values()
            for d in f.effective.loc[f.effective["place"] == "inside", "depth"]
        }
    )
    for ax, (arm, found) in zip(axes, defined.items(), strict=True):
        table = found.effective
        place = style.gamma_axis(ax, table["gamma"])
        ax.set_yscale("log")
        ax.axhline(1, color=style.GREY, linewidth=0.6, linestyle=(0, (2, 2)))
        for depth, rows in table[table["place"] == "inside"].groupby("depth"):
            at = depths.index(int(depth))
            rows = rows.sort_values("gamma")
            ratio = rows[["n_eff", "low", "high"]].to_numpy(float) / depth
            x = place(rows["gamma"]) * 1.04 ** (at - (len(depths) - 1) / 2)
            ax.plot(x, ratio[:, 0], color=style.colour(at), marker=style.marker(at),
                    linewidth=0.8, markersize=3.5)  # fmt: skip
            for place_of, (middle, low, high) in zip(x, ratio, strict=True):
                style.whisker(ax, place_of, middle, (low, high), style.colour(at), width=0.7)
        outside = int((table["place"] != "inside").sum())
        ax.set_title(f"arm {arm}" + (f" ({outside} cells beyond γ = 0's range)" if outside else ""))
        style.log_ticks(ax, "y")
    axes[0].set_ylabel("effective / real depth, N_eff/N (log)")
    own = Line2D(
        [], [], color=style.GREY, linewidth=0.6, linestyle=(0, (2, 2)), label="worth its own depth"
    )
    shown = style.handles((f"depth {d}" for d in depths), markersize=3.5, linewidth=0.8)
    style.legend(fig, [*shown, own])
    return fig
