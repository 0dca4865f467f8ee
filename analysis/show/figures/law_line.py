"""log γ* against log N per arm: optima, the law with its band, rivals, held-out, the published.

Guarantee: every depth's optimum is shown, censored ones as hollow arrows from their bound; the
published 4.17·N^-0.74 (arXiv 2602.04902) is drawn in each panel as a line of its own, never fitted.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.gamma_star.records import FitResult, GammaStarFit
from analysis.show.figures import style
from analysis.show.figures.comparison import NAMES
from analysis.show.figures.valley import flat
from analysis.tables.published import GAMMA_STAR


def draw(result: FitResult) -> Figure | str:
    """The figure, or why there is none."""
    fits = [f for f in result.arms.values() if any(c.optimum.kind != "none" for c in f.curves)]
    bare = [f.arm for f in result.arms.values() if f not in fits]
    if not fits:
        return "log-log γ*(N): no depth of any arm has an optimum, not even at an edge"
    fig, axes = style.panels(len(fits), height=2.3, most=3, sharex=True, sharey=True)
    depths = sorted({c.depth for f in fits for c in f.curves})
    rivals = sorted({r.name for f in fits for r in f.rivals if len(r.depth)})
    for index, (ax, fit) in enumerate(zip(axes, fits, strict=True)):
        _panel(ax, fit, depths, rivals)
        grid = ax.get_subplotspec()
        if grid.is_last_row() or index + grid.get_gridspec().ncols >= len(fits):
            ax.set_xlabel("depth N (layers, log)")
        if grid.is_first_col():
            ax.set_ylabel("best momentum γ* (log)")
    _limits(axes[0], fits, depths)
    _legend(fig, fits, rivals)
    if bare:
        fig.suptitle(f"no finite optimum: {', '.join(bare)}", fontsize=7, color=style.GREY)
    return fig


def _panel(ax: Axes, fit: GammaStarFit, depths: list[int], rivals: list[str]) -> None:
    blue = style.COLOURS[0]
    ax.set_xscale("log")
    ax.set_yscale("log")
    a, b = GAMMA_STAR
    span = np.geomspace(depths[0] / 1.15, depths[-1] * 1.15, 60)
    ax.plot(span, a * span**-b, color=style.PUBLISHED, linestyle=(0, (1, 1.5)), zorder=1)
    if fit.line is not None:
        line = fit.line
        ax.fill_between(line.depth, line.low, line.high, color=blue, alpha=0.18, linewidth=0)
        ax.plot(line.depth, line.gamma, color=blue, zorder=2)
    for rival in fit.rivals:
        if len(rival.depth):
            at = rivals.index(rival.name)
            ax.plot(
                rival.depth,
                rival.gamma,
                color=style.GREY,
                linewidth=0.8,
                zorder=1,
                linestyle=(0, style.DASHES[at % len(style.DASHES)]),
            )
    for curve in fit.curves:
        _optimum(ax, curve.depth, curve.optimum)
    held = fit.held_out
    if held is not None:
        purple = style.COLOURS[3]
        at = held.depth * 1.06
        style.whisker(ax, at, held.predicted, (held.low, held.high), purple, width=0.8)
        ax.plot([at], [held.predicted], "D", color=purple, markersize=3.5, zorder=5)
    b_fitted = fit.law.parameters.get("b")
    title = f"arm {fit.arm}"
    if b_fitted is not None and b_fitted.estimate is not None:
        title += f": b = {b_fitted.estimate:.2f}"
        if b_fitted.low is not None and b_fitted.high is not None:
            title += f" [{b_fitted.low:.2f}, {b_fitted.high:.2f}]"
    elif fit.line is None:
        title += ": no slope"
    ax.set_title(title if len(title) < 40 else title.replace(": ", ":\n", 1))


def _optimum(ax: Axes, depth: int, best) -> None:
    red = style.COLOURS[1]
    if best.kind == "interior" and best.gamma is not None:
        if flat(best):
            ax.plot([depth, depth], [best.plateau_low, best.plateau_high], color=style.GREY,
                    alpha=0.3, linewidth=4, solid_capstyle="butt", zorder=3)  # fmt: skip
        style.whisker(ax, depth, best.gamma, (best.low, best.high), red)
        ax.plot([depth], [best.gamma], "o", color=red, zorder=6,
                markerfacecolor="white" if flat(best) else red)  # fmt: skip
    elif best.kind == "right" and best.bound_low is not None:
        ax.annotate(
            "",
            (depth, best.bound_low * 1.9),
            (depth, best.bound_low),
            zorder=5,
            arrowprops={"arrowstyle": "->", "color": red, "linewidth": 0.9},
        )
        ax.plot(
            [depth], [best.bound_low], "^", markerfacecolor="white", markeredgecolor=red, zorder=6
        )
    elif best.kind == "left" and best.bound_high is not None:
        ax.annotate(
            "",
            (depth, best.bound_high / 1.9),
            (depth, best.bound_high),
            zorder=5,
            arrowprops={"arrowstyle": "->", "color": red, "linewidth": 0.9},
        )
        ax.plot(
            [depth], [best.bound_high], "v", markerfacecolor="white", markeredgecolor=red, zorder=6
        )


def _limits(ax: Axes, fits: list[GammaStarFit], depths: list[int]) -> None:
    """Room for the optima and the published line; a band running off is cut, not followed."""
    low, high = depths[0] / 1.25, depths[-1] * 1.25
    a, b = GAMMA_STAR
    shown = [a * low**-b, a * high**-b]
    for fit in fits:
        for curve in fit.curves:
            best = curve.optimum
            ends = (best.plateau_low, best.plateau_high) if flat(best) else ()
            shown += [v for v in (best.gamma, best.low, best.high, *ends) if v]
            if best.kind == "right" and best.bound_low:
                shown.append(best.bound_low * 2)
            if best.kind == "left" and best.bound_high:
                shown.append(best.bound_high / 2)
        if fit.held_out is not None:
            shown += [fit.held_out.predicted, fit.held_out.low, fit.held_out.high]
    centre = [v for v in shown if v > 0]
    ax.set_xlim(low, high)
    ax.set_ylim(max(min(centre) / 1.4, 1e-4), min(max(centre) * 1.4, 1e4))
    style.log_ticks(ax, "x", style.spread_ticks(np.array(depths, float), np.log(high / low)))
    style.log_ticks(ax, "y")


def _legend(fig: Figure, fits: list[GammaStarFit], rivals: list[str]) -> None:
    blue, red = style.COLOURS[0], style.COLOURS[1]
    kinds = {c.optimum.kind for f in fits for c in f.curves}
    handles = []
    if "interior" in kinds:
        handles.append(
            Line2D([], [], marker="o", color=red, linewidth=0.9, label="γ* per depth, 95 %")
        )
    if any(flat(c.optimum) for f in fits for c in f.curves):
        handles.append(Line2D([], [], color=style.GREY, alpha=0.3, linewidth=4,
                              label="flat valley: within ε of the best"))  # fmt: skip
    for side, marker, word in (("right", "^", "at least"), ("left", "v", "at most")):
        if side in kinds:
            handles.append(Line2D([], [], marker=marker, linestyle="none", markerfacecolor="white",
                                  markeredgecolor=red, label=f"γ* is {word} this"))  # fmt: skip
    if any(f.line is not None for f in fits):
        handles.append(Line2D([], [], color=blue, label="a·N⁻ᵇ, fitted"))
        handles.append(Patch(color=blue, alpha=0.18, linewidth=0, label="95 % band"))
    handles.append(
        Line2D(
            [],
            [],
            color=style.PUBLISHED,
            linestyle=(0, (1, 1.5)),
            label="published {}·N$^{{-{}}}$".format(*GAMMA_STAR),
        )
    )
    if any(f.held_out is not None for f in fits):
        handles.append(
            Line2D(
                [],
                [],
                marker="D",
                color=style.COLOURS[3],
                linewidth=0.8,
                markersize=3.5,
                label="held-out, predicted",
            )
        )
    for at, name in enumerate(rivals):
        handles.append(
            Line2D(
                [],
                [],
                color=style.GREY,
                linewidth=0.8,
                label=f"vs {NAMES.get(name, name)}",
                linestyle=(0, style.DASHES[at % len(style.DASHES)]),
            )
        )
    style.legend(fig, handles)
