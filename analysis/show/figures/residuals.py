"""Residuals of the per-depth curves: against γ, depth, seed, fitted value, and their quantiles.

Guarantee: every run the arm's curves used is in each panel; a variable that does not vary has no
panel. Residuals are standardised, so their unit is their own standard deviation.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from analysis.gamma_star.records import GammaStarFit
from analysis.show.figures import style


def draw(fit: GammaStarFit) -> Figure | str:
    """The figure, or why there is none."""
    rows = fit.residuals
    if rows is None or len(rows) < 4:
        return f"arm {fit.arm}: fewer than 4 residuals"
    rows = rows[np.isfinite(rows["standardised"])]
    shown = [
        name
        for name in ("gamma", "depth", "width", "seed", "lr")
        if name in rows and rows[name].nunique() > 1
    ]
    fig, axes = style.panels(len(shown) + 2, height=1.9, most=3)
    for ax, name in zip(axes, shown, strict=False):
        if name == "gamma":
            place = style.gamma_axis(ax, rows["gamma"])
            _scatter(ax, place(rows["gamma"]), rows, rows["gamma"])
        else:
            _against(ax, name, rows)
    ax = axes[len(shown)]
    _scatter(ax, rows["fitted"], rows)
    ax.set_xlabel(f"fitted {fit.metric} (as modelled)")
    _quantiles(axes[len(shown) + 1], rows["standardised"].to_numpy(float))
    columns = axes[0].get_gridspec().ncols
    for index, ax in enumerate(axes[: len(shown) + 1]):
        ax.axhline(0, color=style.GREY, linewidth=0.6)
        if index % columns == 0:
            ax.set_ylabel("residual (SD)")
    fig.suptitle(f"arm {fit.arm}: dots are runs, dashes group means", fontsize=8, x=0.01, ha="left")
    return fig


def _scatter(ax, x, rows: pd.DataFrame, group=None) -> None:
    x = np.asarray(x, float)
    ax.plot(
        x,
        rows["standardised"],
        "o",
        markersize=2.4,
        markerfacecolor="none",
        markeredgecolor=style.COLOURS[0],
        markeredgewidth=0.5,
    )
    if group is not None:
        for value in pd.unique(group):
            here = (group == value).to_numpy()
            ax.plot(
                [x[here][0]],
                [rows["standardised"][here].mean()],
                "_",
                markersize=9,
                color=style.COLOURS[1],
                markeredgewidth=1.4,
            )


def _against(ax, name: str, rows: pd.DataFrame) -> None:
    """Levels side by side in equal steps: depths, seeds and rates are few and uneven."""
    levels = sorted(rows[name].unique())
    at = rows[name].map({v: i for i, v in enumerate(levels)})
    _scatter(ax, at, rows, rows[name])
    step = max(1, -(-len(levels) // 6))
    ax.set_xticks(range(0, len(levels), step), [style.short(v) for v in levels[::step]])
    ax.set_xlim(-0.6, len(levels) - 0.4)
    ax.set_xlabel(
        {
            "depth": "depth N (layers)",
            "seed": "seed",
            "width": "width (units)",
            "lr": "learning rate",
        }[name]
    )


def _quantiles(ax, residuals: np.ndarray) -> None:
    ordered = np.sort(residuals)
    normal = stats.norm.ppf((np.arange(1, ordered.size + 1) - 0.5) / ordered.size)
    ax.plot(
        normal,
        ordered,
        "o",
        markersize=2.4,
        markerfacecolor="none",
        markeredgecolor=style.COLOURS[0],
        markeredgewidth=0.5,
    )
    ends = np.array([normal[0], normal[-1]])
    ax.plot(ends, ends, color=style.GREY, linewidth=0.8)
    ax.set_xlabel("normal quantile (SD)")
    ax.set_ylabel("residual quantile (SD)")
