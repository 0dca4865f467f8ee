"""How every figure looks: colour-blind safe, readable at column width, PNG and PDF of one drawing.

Guarantee: `figure` gives a canvas of one column (3.4 in) or two (7.0 in) with 7-8 pt text that no
global matplotlib state changes, and `save` writes NAME.png (220 dpi) and NAME.pdf (fonts
embedded). γ = 0 has a place on every γ axis, and the axis label says so.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

SINGLE, DOUBLE = 3.4, 7.0  # inches
# Okabe and Ito (2008) without the yellow, which is too light on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ((4, 2), (1.5, 1.5), (6, 2, 1, 2), (3, 1, 1, 1, 1, 1))
GREY = "#666666"
PUBLISHED = "#000000"

RC = {
    "font.size": 8,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "mathtext.default": "regular",
}


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def figure(
    rows: int = 1, columns: int = 1, width: float = SINGLE, height: float = 2.4, **options
) -> tuple[Figure, np.ndarray]:
    """A figure and its axes, always (rows, columns). width in inches; height per row."""
    fig = Figure(figsize=(width, height * rows), layout="constrained")
    fig.get_layout_engine().set(h_pad=0.06)  # between rows there are ticks that it is not told of
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


def styled():
    """The context to draw in: text sizes are read when a text is made, not when it is drawn."""
    return matplotlib.rc_context(RC)


def handles(labels: Iterable[str], **line: object) -> list[Line2D]:
    """A legend's handles for one series a label, in the order of the colours and markers."""
    return [
        Line2D([], [], color=colour(i), marker=marker(i), label=label, **line)
        for i, label in enumerate(labels)
    ]


def legend(fig: Figure, handles: list) -> None:
    """A legend below all panels, in as many columns as fit; the figure grows by its height."""
    if not handles:
        return
    plain = [re.sub(r"[${}^]", "", entry.get_label()) for entry in handles]
    widest = max(map(len, plain)) * 0.056 + 0.42  # inches at 7 pt
    columns = max(1, min(len(handles), int(fig.get_figwidth() / widest)))
    rows = -(-len(handles) // columns)
    fig.set_figheight(fig.get_figheight() + 0.15 * rows + 0.08)
    fig.legend(handles=handles, loc="outside lower center", ncols=columns)


def panels(count: int, height: float = 1.9, most: int = 4, **options) -> tuple[Figure, list[Axes]]:
    """`count` panels in a near-square grid; those left over are removed, not left empty."""
    columns = min(count, most if count > 4 else (2 if count == 4 else count))
    rows = -(-count // columns)
    columns = -(-count // rows) if count > 4 else columns  # 6 are 3 + 3, not 4 + 2
    width = SINGLE if columns == 1 else DOUBLE
    fig, axes = figure(rows, columns, width, height if columns > 1 else 2.6, **options)
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.remove()
    lowest(flat[:count], columns)
    return fig, flat[:count]


def lowest(axes: list[Axes], columns: int) -> list[Axes]:
    """The lowest panel of each column of a grid, its tick numbers shown even where x is shared and
    the grid's last row ends before it."""
    low = axes[-columns:]
    for ax in low:
        ax.tick_params(labelbottom=True)
    return low


def whisker(
    ax: Axes, at: float, value: float, ends: tuple[float | None, float | None], colour: str,
    across: bool = False, width: float = 0.9,
) -> None:  # fmt: skip
    """An interval about `value` at `at`, upright or (across) level; an end that the data do not bound
    is an arrow to the panel's edge."""
    for end, edge in zip(ends, (0.0, 1.0), strict=True):
        if end is not None and np.isfinite(end):
            line = ([at, at], [value, end])
            ax.plot(*(line[::-1] if across else line), color=colour, linewidth=width, zorder=4)
            continue
        tip, kinds = ((edge, at), ("axes fraction", "data")) if across else (
            (at, edge), ("data", "axes fraction"))  # fmt: skip
        ax.annotate(
            "", tip, (value, at) if across else (at, value), xycoords=kinds, textcoords="data",
            arrowprops={"arrowstyle": "->", "color": colour, "linewidth": width,
                        "shrinkA": 0, "shrinkB": 0}, zorder=4,
        )  # fmt: skip


def png(fig: Figure, target: object, dpi: int) -> None:
    """Write `fig` as PNG to a path or an open binary file, laid out once for good.

    The layout is kept and the canvas drawn once, where `savefig` would lay out and draw again.
    """
    with styled():
        fig.set_dpi(dpi)
        settle(fig)
        fig.canvas.print_png(target)


def settle(fig: Figure) -> None:
    """Lay the figure out and keep that layout, so that its PNG and its PDF are one drawing."""
    engine = fig.get_layout_engine()
    if engine is None:
        return
    with styled(), hidden(unlabelled(fig)):
        engine.execute(fig)
    fig.set_layout_engine("none")


def unlabelled(fig: Figure) -> list[Axis]:
    """The shared axes of inner panels, which show no text: a layout that leaves them out is the same,
    and in a grid they are most of its time."""
    axes = [axis for ax in fig.axes for axis in (ax.xaxis, ax.yaxis)]
    return [
        a for a in axes
        if not a.get_label_text() and not any(
            a.get_tick_params(which).get(f"label{side}")
            for which in ("major", "minor") for side in ("left", "right", "top", "bottom"))
    ]  # fmt: skip


@contextmanager
def hidden(artists: list[Axis]) -> Iterator[None]:
    """These not visible, for a while."""
    shown = [a for a in artists if a.get_visible()]
    for artist in shown:
        artist.set_visible(False)
    try:
        yield
    finally:
        for artist in shown:
            artist.set_visible(True)


def save(fig: Figure, out_dir: Path, name: str) -> list[Path]:
    """Write NAME.png and NAME.pdf into `out_dir` (made where absent) and return both paths."""
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = [out_dir / f"{name}.png", out_dir / f"{name}.pdf"]
    png(fig, paths[0], 220)
    with styled():
        # no creation date: the same table gives the same file
        fig.savefig(paths[1], metadata={"CreationDate": None})
    return paths


def mark(fig: Figure, sentence: str) -> None:
    """Write across the head of a figure what its reader must know of the analysis."""
    lines = textwrap.wrap(sentence, int(fig.get_figwidth() * 20))
    head = 0.16 * len(lines) / fig.get_figheight()
    engine = fig.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - head))
    fig.text(0.005, 0.995, "\n".join(lines), ha="left", va="top", fontsize=7, style="italic")


def short(value: float) -> str:
    """A number as a tick says it: 0.05, 1.6, 10, 3e+06."""
    return f"{value:.3g}"


def log_ticks(ax: Axes, axis: str, values: Iterable[float] | None = None) -> None:
    """Plain numbers on a log axis: at `values`, or at 1-2-5 steps as the span allows."""
    which = ax.xaxis if axis == "x" else ax.yaxis
    which.set_minor_locator(
        NullLocator()
    )  # small panels: unlabelled ticks cost a third of the time
    which.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    if values is not None:
        which.set_major_locator(FixedLocator(sorted(values)))
        return
    low, high = sorted(ax.get_xlim() if axis == "x" else ax.get_ylim())
    if sum(low <= v <= high for v in rounded(low, high)) > 2:
        decades = np.log10(high / low)
        which.set_major_locator(LogLocator(subs=(1.0,) if decades > 2.2 else (1.0, 2.0, 5.0), numticks=9))  # fmt: skip
        return
    # too short for 1-2-5 steps: round numbers as on a linear axis
    near = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    which.set_major_locator(FixedLocator([v for v in near if low <= v <= high]))
    which.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def rounded(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every decade from low to high, both above 0."""
    if not 0 < low <= high:
        return []
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    near = [float(f"{step}e{decade}") for decade in decades for step in (1, 2, 5)]
    return [v for v in near if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]


def gamma_axis(ax: Axes, gammas: Iterable[float], label: bool = True):
    """Make x a log γ axis with a place for γ = 0; returns the map γ -> x.

    Zero sits one grid step left of the smallest positive γ, behind a break, and the label says
    so. A grid with negative γ gets a symmetric log axis instead, linear inside its smallest |γ|.
    """
    seen = np.unique(np.asarray(list(gammas), float))
    seen = seen[np.isfinite(seen)]
    positive = seen[seen > 0]
    if seen.size and seen.min() < 0:
        linear = float(np.min(np.abs(seen[seen != 0])))
        ax.set_xscale("symlog", linthresh=linear)
        if label:
            ax.set_xlabel(f"γ (linear within ±{short(linear)})")
        return lambda value: value
    ax.set_xscale("log")
    if positive.size == 0:
        positive = np.array([1.0])
    ratio = float(np.exp(np.median(np.diff(np.log(positive))))) if positive.size > 1 else 2.0
    ratio = min(max(ratio, 1.6), 4.0)
    zero = positive[0] / ratio**1.5
    has_zero = bool(seen.size) and seen[0] == 0
    left = zero / ratio**0.6 if has_zero else positive[0] / ratio**0.5
    ax.set_xlim(left, positive[-1] * ratio**0.5)
    span = np.log(positive[-1] * ratio**0.5 / left)
    names = {zero: "0"} if has_zero else {}
    ticks = [*names, *gamma_ticks(positive[0], positive[-1], span, zero if has_zero else None)]
    if has_zero:
        split = positive[0] / ratio**0.75
        ax.plot(
            [split],
            [0],
            transform=ax.get_xaxis_transform(),
            marker=[(-1, -2), (1, 2)],
            markersize=7,
            color="black",
            clip_on=False,
            linestyle="none",
            markeredgewidth=0.8,
            zorder=10,
        )
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(FixedLocator([g for g in positive]))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: names.get(value, short(value))))
    if label:
        ax.set_xlabel("γ (log; 0 set apart)" if has_zero else "momentum γ (log)")
    return lambda value: np.where(np.asarray(value, float) == 0, zero, value)


def gamma_ticks(low: float, high: float, span: float, zero: float | None) -> list[float]:
    """1-2-5 numbers from low to high whose labels don't touch each other or that of 0: all, or
    those of every decade; a grid between two of them has its ends."""
    every = rounded(low, high)
    taken = [] if zero is None else [zero]
    for steps in ("125", "15", "1"):
        kept = [v for v in every if f"{v:e}"[0] in steps]
        if len(kept) > 1 and spread_ticks(np.array([*taken, *kept]), span, {zero: "0"}) == [*taken, *kept]:  # fmt: skip
            return kept
    return spread_ticks(np.array([*taken, *(every if len(every) > 1 else [low, high])]), span, {zero: "0"})[len(taken):]  # fmt: skip


def spread_ticks(
    values: np.ndarray,
    span: float,
    names: Mapping[float | None, str] | None = None,
    share: float = 0.035,
) -> list[float]:
    """Of a log grid, those values whose labels don't touch (a character needs `share` of the span).

    names: labels other than the number itself."""
    kept: list[float] = []
    ends = 0
    for value in values:
        size = len((names or {}).get(float(value), short(value)))
        if not kept or np.log(value / kept[-1]) >= share * span * (1 + (size + ends) / 2):
            kept.append(float(value))
            ends = size
    return kept


def metric_label(metric: str) -> str:
    """The metric with its unit."""
    names = {
        "val_loss": "validation loss (nats)",
        "mean_loss": "mean training loss (nats)",
        "train_loss": "training loss (nats)",
        "accuracy": "accuracy (share correct)",
        "steps_to_solve": "steps to solve",
    }
    return names.get(metric, metric)


def slug(text: str) -> str:
    """An arm's name as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in str(text)) or "all"
