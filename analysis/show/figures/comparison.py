"""The law against its rivals, and the held-out depth against naive predictions, per arm.

Guarantee: the zero line is the law itself; bars to the right are worse than it, and the ±4 within
which an information criterion tells nothing apart is shaded.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from analysis.gamma_star.records import FitResult, HeldOut
from analysis.show.figures import style

NAMES = {
    "equal_dose_gain": "equal dose (gain)",
    "equal_dose_angle": "equal dose (angle)",
    "step": "step at N = 1",
    "exponential": "exponential",
    "constant": "constant",
}


def draw(result: FitResult) -> Figure | str:
    """The figure, or why there is none."""
    arms = [f for f in result.arms.values() if any(r.delta_ic is not None for r in f.rivals)]
    if not arms:
        return "model comparison: no arm has a slope to compare with rivals"
    held = [f for f in arms if f.held_out is not None and f.held_out.log_error is not None]
    names = list(dict.fromkeys(r.name for f in arms for r in f.rivals if r.delta_ic is not None))
    height = 0.75 + 0.16 * len(names) * max(len(arms), 1)
    fig, axes = style.figure(1, 2 if held else 1, style.DOUBLE if held else style.SINGLE, height)
    _bars(
        axes[0, 0],
        [[NAMES.get(n, n) for n in names]],
        [
            (f.arm, [next((r.delta_ic for r in f.rivals if r.name == n), None) for n in names])
            for f in arms
        ],
        signed=True,
    )
    axes[0, 0].axvspan(-4, 4, color="#dddddd", zorder=0, linewidth=0)
    axes[0, 0].axvline(0, color="black", linewidth=0.6)
    axes[0, 0].set_xlabel(
        "information criterion, rival less law\n(right: rival is worse; grey: not told apart)"
    )
    axes[0, 0].set_title("rivals")
    if held:
        errors = [(f.arm, _errors(f.held_out)) for f in held]
        keys = list(dict.fromkeys(k for _, e in errors for k in e))
        _bars(axes[0, 1], [keys], [(arm, [e.get(k) for k in keys]) for arm, e in errors])
        axes[0, 1].set_xlabel("|error| in ln γ* of the held-out depth")
        depth = ", ".join(sorted({str(f.held_out.depth) for f in held}))
        axes[0, 1].set_title(f"extrapolation to depth {depth}")
    if len(arms) > 1:
        from matplotlib.patches import Patch

        style.legend(
            fig, [Patch(color=style.colour(i), label=f"arm {f.arm}") for i, f in enumerate(arms)]
        )
    return fig


def _errors(held: HeldOut) -> dict[str, float]:
    found = {"law": abs(held.log_error)}
    if held.constant_log_error is not None:
        found["constant"] = abs(held.constant_log_error)
    found |= {k: abs(v) for k, v in held.naive.items() if v is not None}
    return found


def _bars(ax, labels, series, signed: bool = False) -> None:
    """Grouped horizontal bars; a missing value is said, not drawn as 0."""
    labels = labels[0]
    count = len(series)
    for i, (_, values) in enumerate(series):
        y = np.arange(len(labels)) + (i - (count - 1) / 2) * 0.8 / count
        for at, value in zip(y, values, strict=True):
            if value is None or not np.isfinite(value):
                ax.annotate(
                    "none",
                    (0, at),
                    fontsize=6,
                    va="center",
                    color=style.GREY,
                    xytext=(2, 0),
                    textcoords="offset points",
                )
            else:
                ax.barh(at, value, height=0.75 / count, color=style.colour(i), zorder=2)
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    if signed:
        ax.margins(x=0.08)
