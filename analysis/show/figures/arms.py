"""Every arm's metric as a forest, one panel a depth: the chosen setting on the seeds that judge.

Guarantee: a row an arm with its 95 % interval over seeds; hollow where it is not shown to differ
from the reference (Holm over the whole table), whose mean is the vertical line; the share of seeds
that learned stands at the right.
"""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.contrasts.arms import Arms
from analysis.show.figures import style

MOST = 4  # panels a row
ROOM = 3.0  # factor about the least and the largest mean


def draw(arms: Arms) -> dict[str, Figure]:
    """A figure for each task."""
    tasks = list(dict.fromkeys(r["task"] for r in arms.rows))
    return {"arms" + (f"_{style.slug(task)}" if len(tasks) > 1 else ""): _task(arms, task)
            for task in tasks}  # fmt: skip


def _task(arms: Arms, task: str) -> Figure:
    rows = [r for r in arms.rows if r["task"] == task]
    names = list(dict.fromkeys(r["arm"] for r in arms.rows if r["task"] == task))
    places = sorted({(r["width"], r["depth"]) for r in rows})
    columns = min(len(places), MOST if len(places) > 4 else 2 if len(places) == 4 else len(places))
    lines = -(-len(places) // columns)
    fig, axes = style.figure(lines, columns, style.SINGLE if columns == 1 else style.DOUBLE,
                             0.55 + 0.19 * len(names), sharey=True, sharex=True)  # fmt: skip
    flat = list(axes.flat)
    for spare in flat[len(places) :]:
        spare.remove()
    wide = len({w for w, _ in places}) > 1
    limits = _limits(rows, arms.metric)
    for ax, place in zip(flat, places, strict=False):
        mine = {r["arm"]: r for r in rows if (r["width"], r["depth"]) == place}
        _panel(ax, mine, names, arms, limits)
        ax.set_title(f"depth {place[1]}" + (f", width {place[0]}" if wide else ""))
    for ax in style.lowest(flat[: len(places)], columns):
        ax.set_xlabel(style.metric_label(arms.metric))
    flat[0].set_yticks(range(len(names)), names)
    flat[0].set_ylim(len(names) - 0.4, -0.6)
    if arms.metric != "accuracy":
        flat[0].set_xscale("log")
    flat[0].set_xlim(*limits)
    if arms.metric != "accuracy":
        style.log_ticks(flat[0], "x")
    black = style.COLOURS[0]
    style.legend(fig, [
        Line2D([], [], color=black, marker="o", linewidth=1, label=f"differs from {arms.reference} (Holm)"),
        Line2D([], [], color=black, marker="o", markerfacecolor="white", linewidth=1,
               label="not shown to differ"),
        Line2D([], [], color=style.GREY, linewidth=0.8, linestyle=(0, (2, 2)), label=arms.reference),
        Line2D([], [], linestyle="none", label="at right: seeds that learned"),
    ])  # fmt: skip
    return fig


def _limits(rows: list[dict], metric: str) -> tuple[float, float]:
    """What the means span, with room; a bar that runs out of it ends in an arrow."""
    if metric == "accuracy":
        return -0.02, 1.02
    means = [r[metric] for r in rows]
    return min(means) / ROOM, max(means) * ROOM


def _panel(ax, mine: dict, names: list[str], arms: Arms, limits: tuple[float, float]) -> None:
    reference = mine.get(arms.reference)
    if reference is not None:
        ax.axvline(
            reference[arms.metric], color=style.GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0
        )
    for at, name in enumerate(names):
        r = mine.get(name)
        if r is None:
            continue
        x, low, high = (r[arms.metric + end] for end in ("", "_low", "_high"))
        colour = style.colour(0) if name != arms.reference else style.GREY
        if low is not None:
            ends = [v if limits[0] < v < limits[1] else None for v in (low, high)]
            style.whisker(ax, at, x, tuple(ends), colour, across=True, width=1.0)
        differs = r["p_holm"] is not None and r["p_holm"] <= 0.05
        ax.plot(
            [x],
            [at],
            marker="o",
            color=colour,
            markersize=4,
            markerfacecolor=colour if differs or name == arms.reference else "white",
        )
        ax.annotate(
            f"{r['formed']}/{r['runs']}",
            (1.01, at),
            xycoords=("axes fraction", "data"),
            fontsize=6,
            va="center",
            color=style.GREY,
            annotation_clip=False,
        )
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", color="#eeeeee", linewidth=0.5)
    ax.set_axisbelow(True)
