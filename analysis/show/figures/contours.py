"""Lines of equal metric over (ln N, ln γ) per arm, with the ridge of best γ.

Guarantee: the surface is the per-depth fitted curves, joined linearly in ln N between the depths
that were run; where a depth has no converged run at a γ the surface is grey.
"""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.gamma_star.records import FitResult, GammaStarFit
from analysis.show.figures import style


def draw(result: FitResult) -> Figure | str:
    """The figure, or why there is none."""
    surfaces = {f.arm: s for f in result.arms.values() if (s := surface(f)) is not None}
    if not surfaces:
        return "contours of equal metric: they need 3 depths with fitted curves in one arm"
    fig, axes = style.panels(len(surfaces), height=2.3, most=3, sharex=True, sharey=True)
    metric = np.concatenate([s[2].compressed() for s in surfaces.values()])
    logarithmic = metric.min() > 0 and metric.max() / metric.min() > 5
    norm = (LogNorm if logarithmic else Normalize)(metric.min(), metric.max())
    levels = (np.geomspace if logarithmic else np.linspace)(metric.min(), metric.max(), 12)
    levels[0], levels[-1] = levels[0] * (1 - 1e-9) - 1e-12, levels[-1] * (1 + 1e-9) + 1e-12
    for ax, (arm, (depth, gamma, value)) in zip(axes, surfaces.items(), strict=True):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_facecolor("#dddddd")
        filled = ax.contourf(depth, gamma, value.T, levels=levels, norm=norm, cmap="cividis")
        ax.contour(depth, gamma, value.T, levels=levels, colors="white", linewidths=0.4)
        _ridge(ax, result.arms[arm], gamma)
        ax.set_title(f"arm {arm}")
        ax.set_ylim(gamma[0], gamma[-1])
        ax.set_xlim(depth[0], depth[-1])
        style.log_ticks(ax, "x", style.spread_ticks(depth, np.log(depth[-1] / depth[0])))
        style.log_ticks(ax, "y")
    columns = axes[0].get_gridspec().ncols
    for index, ax in enumerate(axes):
        if index % columns == 0:
            ax.set_ylabel("momentum γ (log)")
        if index + columns >= len(axes):
            ax.set_xlabel("depth N (layers, log)")
            ax.tick_params(labelbottom=True)
    bar = fig.colorbar(
        filled, ax=axes, label=style.metric_label(result.metric), aspect=30, ticks=levels[1:-1:3]
    )
    bar.ax.minorticks_off()
    bar.ax.set_yticklabels([style.short(v) for v in levels[1:-1:3]])
    bare = any(s[2].mask.any() for s in surfaces.values())
    style.legend(
        fig,
        [
            *(
                [Patch(color="#dddddd", label="not covered by both neighbouring depths")]
                if bare
                else []
            ),
            Line2D(
                [],
                [],
                marker="o",
                color="white",
                markeredgecolor="black",
                linewidth=0,
                label="γ* per depth",
            ),
            Line2D([], [], color=style.COLOURS[1], label="ridge: fitted γ*(N)"),
        ],
    )
    return fig


def surface(fit: GammaStarFit) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(depths (K,), gammas (G,), metric (K, G)) of the arm's commonest width, or None."""
    widths = [c.width for c in fit.curves]
    if not widths:
        return None
    width = max(set(widths), key=widths.count)
    curves = [c for c in fit.curves if c.width == width and len(c.gamma) > 1]
    if len(curves) < 3:
        return None
    low = min(float(np.min(c.gamma)) for c in curves)
    high = max(float(np.max(c.gamma)) for c in curves)
    if not high > low * 1.5:
        return None
    gamma = np.geomspace(low, high, 80)
    value = np.ma.masked_invalid(
        [
            np.interp(np.log(gamma), np.log(c.gamma), c.fitted, left=np.nan, right=np.nan)
            for c in curves
        ]
    )
    return np.array([c.depth for c in curves], float), gamma, value


def _ridge(ax, fit: GammaStarFit, gamma: np.ndarray) -> None:
    for curve in fit.curves:
        best = curve.optimum
        if best.kind == "interior" and best.gamma is not None:
            ax.plot(
                [curve.depth],
                [best.gamma],
                "o",
                color="white",
                markeredgecolor="black",
                zorder=5,
                clip_on=False,
            )
    if fit.line is not None:
        ax.plot(fit.line.depth, fit.line.gamma, color=style.COLOURS[1], zorder=4)
