"""b against training time: is the law one of the end of training or of speed?

Guarantee: one line an arm over the steps that give a slope; a prefix of a schedule is not an end point,
which the title recalls, unless each point is a length of its own.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.gamma_star.records import FitResult
from analysis.show.figures import style
from analysis.tables.published import GAMMA_STAR


def draw(result: FitResult) -> Figure | str:
    """The figure, or why there is none."""
    table = result.training_time
    table = table[table["b"].notna()] if len(table) else table
    if not len(table):
        return "b against training time: no curves.parquet, or no slope at any step"
    arms = [a for a in result.arms if (table["arm"] == a).sum() > 1]
    if not arms:
        return "b against training time: no arm has a slope at two steps"
    fig, axes = style.figure(1, 1, style.SINGLE, 2.4)
    ax = axes[0, 0]
    time = "tokens" if table["tokens"].notna().all() and (table["tokens"] > 0).all() else "step"
    ax.set_xscale("log")
    for i, arm in enumerate(arms):
        rows = table[table["arm"] == arm].sort_values(time)
        ax.plot(rows[time], rows["b"], color=style.colour(i), marker=style.marker(i), markersize=3)
        ax.fill_between(
            rows[time],
            rows["low"].astype(float),
            rows["high"].astype(float),
            color=style.colour(i),
            alpha=0.15,
            linewidth=0,
        )
    ax.axhline(0, color=style.GREY, linewidth=0.6)
    ax.axhline(GAMMA_STAR[1], color=style.PUBLISHED, linewidth=0.8, linestyle=(0, (1, 1.5)))
    b = table["b"].to_numpy(float)
    ends = table[["low", "high"]].to_numpy(float)
    ends = ends[np.isfinite(ends)]
    low, high = min(b.min(), 0), max(b.max(), GAMMA_STAR[1])
    if ends.size:
        low, high = min(low, np.quantile(ends, 0.03)), max(high, np.quantile(ends, 0.97))
    ax.set_ylim(low - 0.1, high + 0.1)
    ax.set_xlabel(f"training time ({'tokens' if time == 'tokens' else 'steps'}, log)")
    annealed = "annealed" in table and bool(table["annealed"].all())
    title = "before the end the learning rate is not yet annealed"
    ax.set_title("each length cooled down" if annealed else title, color=style.GREY, fontsize=7)
    style.log_ticks(ax, "x")
    ax.set_ylabel("exponent b, 95 % band")
    published = Line2D(
        [],
        [],
        color=style.PUBLISHED,
        linewidth=0.8,
        linestyle=(0, (1, 1.5)),
        label=f"published {GAMMA_STAR[1]}",
    )
    style.legend(fig, [*style.handles((f"arm {a}" for a in arms), markersize=3), published])
    return fig
