"""b under every reasonable choice of metric, form and window: the specification curve, per arm.

Guarantee: every choice that gave a slope is one column, sorted by b, with its interval above and
what was chosen below; the choice frozen before the sweep ran is marked.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.gamma_star.records import FitResult
from analysis.show.figures import style
from analysis.tables.published import GAMMA_STAR

CHOICES = ("metric", "form", "window", "diverged")


def draw(result: FitResult, arm: str) -> Figure | str:
    """The figure of one arm, or why there is none."""
    table = result.specification
    rows = table[table["arm"] == arm] if len(table) else table
    if len(rows):
        rows = rows[rows["b"].notna()].sort_values("b").reset_index(drop=True)
    if len(rows) < 2:
        return f"arm {arm}: specification curve: fewer than 2 choices gave a slope"
    lines = [
        (name, value)
        for name in CHOICES
        for value in _levels(rows[name])
        if rows[name].nunique(dropna=False) > 1
    ]
    height = 1.7 + 0.135 * len(lines) + 0.3
    fig, axes = style.figure(
        2,
        1,
        style.DOUBLE,
        height / 2,
        sharex=True,
        height_ratios=[1.7, 0.135 * max(len(lines), 1) + 0.1],
    )
    top, bottom = axes[:, 0]
    blue, red = style.COLOURS[0], style.COLOURS[1]
    x = np.arange(len(rows))
    colours = np.where(rows["primary"].astype(bool), red, blue)
    for at, row in rows.iterrows():
        style.whisker(top, at, row["b"], (row["low"], row["high"]), colours[at], width=0.7)
    top.scatter(x, rows["b"], c=colours, s=np.where(rows["primary"], 24, 9), zorder=3)
    top.axhline(0, color=style.GREY, linewidth=0.6)
    top.axhline(GAMMA_STAR[1], color=style.PUBLISHED, linewidth=0.8, linestyle=(0, (1, 1.5)))
    centre, spread = rows["b"].median(), max(float(np.ptp(rows["b"])), 0.1)
    shown = np.concatenate([rows["low"], rows["high"], [0, GAMMA_STAR[1]]])
    shown = shown[np.isfinite(shown)]
    top.set_ylim(
        max(shown.min(), centre - 4 * spread - 1) - 0.05,
        min(shown.max(), centre + 4 * spread + 1) + 0.05,
    )
    top.set_ylabel("exponent b")
    top.set_title(
        f"arm {arm}: {len(rows)} choices, b from {rows['b'].min():.2f} to {rows['b'].max():.2f}"
    )
    for level, (name, value) in enumerate(lines):
        chosen = (rows[name].isna() if pd.isna(value) else rows[name] == value).to_numpy()
        bottom.scatter(x[chosen], np.full(chosen.sum(), level), marker="s", s=5, c=colours[chosen])
    bottom.set_yticks(range(len(lines)), [_label(*line) for line in lines])
    bottom.set_ylim(len(lines) - 0.4, -0.6)
    bottom.set_xlim(-1, len(rows))
    bottom.set_xticks([])
    bottom.set_xlabel("choices, sorted by b")
    style.legend(
        fig,
        [
            Line2D([], [], marker="o", color=red, markersize=4.5, label="frozen primary, 95 %"),
            Line2D([], [], marker="o", color=blue, markersize=3, label="another choice, 95 %"),
            Line2D(
                [],
                [],
                color=style.PUBLISHED,
                linewidth=0.8,
                linestyle=(0, (1, 1.5)),
                label=f"published {GAMMA_STAR[1]}",
            ),
        ],
    )
    return fig


def _levels(column: pd.Series) -> list:
    return sorted(column.unique(), key=lambda v: (pd.isna(v), str(v)))


def _label(name: str, value) -> str:
    if name == "window":
        return "window: all γ" if pd.isna(value) else f"window: ±{value:g} in ln γ"
    if name == "diverged":
        return f"diverged: {value}"
    return f"{name}: {value}"
