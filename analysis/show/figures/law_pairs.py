"""Profiles of a law's parameters and the pair plot of its bootstrap.

Guarantee: the profile's curve ends where it was computed, not where it would look complete; the
pair plot leaves out nothing but replicates whose parameter ran off, and says how many.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from analysis.forms.law import FittedLaw
from analysis.show.figures import style


def profiles(fitted: FittedLaw) -> Figure | None:
    """2 ΔS / noise against each parameter, with the threshold of the interval."""
    shown = [
        (e, q)
        for e, q in zip(fitted.fit.estimates, fitted.problem.quantities, strict=True)
        if e.profile is not None and len(e.profile.path) > 2
    ]
    if not shown:
        return None
    fig, axes = style.panels(len(shown), height=1.8, most=3, sharey=True)
    for ax, (estimate, quantity) in zip(axes, shown, strict=True):
        path = estimate.profile.path
        top = 2.2 * estimate.profile.threshold
        keep = path[:, 1] <= 40 * estimate.profile.threshold
        with np.errstate(over="ignore"):
            x = np.asarray(quantity.natural(path[keep, 0]), float)
        height = path[keep, 1]
        fine = np.isfinite(x)
        ax.plot(x[fine], height[fine], "o", color=style.COLOURS[0], markersize=2.4)
        ax.plot(*_smooth(x[fine], height[fine]), color=style.COLOURS[0])
        ax.axhline(
            estimate.profile.threshold, color=style.GREY, linewidth=0.8, linestyle=(0, (3, 2))
        )
        for end in (estimate.profile_low, estimate.profile_high):
            if end is not None:
                ax.axvline(end, color=style.COLOURS[1], linewidth=0.8)
        ax.set_ylim(-0.05 * top, top)
        inside = x[fine & (height <= top)]
        if inside.size and inside.min() > 0 and inside.max() / inside.min() > 8:
            ax.set_xscale("log")
            ax.set_xlim(inside.min() / 1.1, inside.max() * 1.1)
            style.log_ticks(ax, "x")
        elif inside.size:
            room = 0.06 * (np.ptp(inside) or 1.0)
            ax.set_xlim(inside.min() - room, inside.max() + room)
            ax.locator_params(axis="x", nbins=4)
        ax.set_xlabel(estimate.name + ("" if estimate.identified else " (not identified)"))
    columns = axes[0].get_gridspec().ncols
    for ax in axes[::columns]:
        ax.set_ylabel("objective's rise (χ² units)")
    return fig


def _smooth(x: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The profile between its points: its signed root, near a straight line, interpolated."""
    from scipy.interpolate import PchipInterpolator

    x, first = np.unique(x, return_index=True)
    height = height[first]
    if x.size < 3:
        return x, height
    lowest = int(np.argmin(height))
    root = np.sqrt(np.maximum(height, 0)) * np.where(np.arange(x.size) < lowest, -1, 1)
    line = np.unique(np.concatenate([np.linspace(x[0], x[-1], 200), x]))
    return line, PchipInterpolator(x, root)(line) ** 2


def pairs(fitted: FittedLaw) -> Figure | None:
    """Every two parameters of the bootstrap against each other, histograms on the diagonal."""
    shown = [
        e
        for e in fitted.fit.estimates
        if e.samples is not None and np.isfinite(e.samples).sum() > 20
    ]
    if len(shown) < 2:
        return None
    values, names = [], []
    for e in shown:
        positive = e.samples[np.isfinite(e.samples)]
        wide = positive.min() > 0 and np.quantile(positive, 0.99) / np.quantile(positive, 0.01) > 4
        values.append(np.log10(e.samples) if wide else e.samples)
        names.append(f"log₁₀ {e.name}" if wide else e.name)
    table = np.stack(values, 1)
    kept = table[np.isfinite(table).all(axis=1)]
    count = len(shown)
    size = style.DOUBLE if count > 3 else style.DOUBLE * 0.75
    fig, axes = style.figure(count, count, size, size / count)
    low, high = np.quantile(kept, [0.002, 0.998], axis=0)
    room = 0.05 * np.maximum(high - low, 1e-12)
    for i in range(count):
        for j in range(count):
            ax = axes[i, j]
            if j > i:
                ax.remove()
                continue
            if i == j:
                ax.hist(
                    kept[:, i], bins=40, range=(low[i], high[i]), color=style.COLOURS[0], alpha=0.6
                )
                ax.set_yticks([])
                ax.spines["left"].set_visible(False)
            else:
                ax.plot(
                    kept[:, j],
                    kept[:, i],
                    ",",
                    color=style.COLOURS[0],
                    alpha=0.5 if len(kept) > 2000 else 0.9,
                    rasterized=True,
                )
                ax.set_ylim(low[i] - room[i], high[i] + room[i])
            ax.set_xlim(low[j] - room[j], high[j] + room[j])
            ax.locator_params(axis="x", nbins=3 if count > 3 else 4)
            if i != j:
                ax.locator_params(axis="y", nbins=3)
            ax.tick_params(labelbottom=i == count - 1, labelleft=j == 0 and i > 0)
            if i == count - 1:
                ax.set_xlabel(names[j])
            if j == 0 and i > 0:
                ax.set_ylabel(names[i])
    lost = len(table) - len(kept)
    fig.suptitle(
        f"{len(kept)} case bootstraps" + (f" ({lost} ran off)" if lost else ""),
        fontsize=8,
        x=0.99,
        ha="right",
    )
    return fig
