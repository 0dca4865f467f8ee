"""Figures of a sweep: what is there is drawn, what is not is said, nothing overlaps the canvas."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.show.figures import figures, style, write
from tests.analysis import made_up


@pytest.fixture
def demo():
    return made_up.result(
        [
            made_up.arm("raw", {1: "interior", 2: "interior", 3: "interior"}, diverged=2),
            made_up.arm("norm_matched", {1: "right", 2: "right", 3: "none"}, line=False),
        ]
    )


def test_plot_writes_png_and_pdf_of_each_figure(demo, tmp_path):
    paths = write(figures(demo), tmp_path / "figures", say=lambda line: None)
    names = {p.name for p in paths}
    assert {
        "metric_vs_gamma_raw.png",
        "metric_vs_gamma_norm_matched.pdf",
        "gamma_star_law.png",
        "gamma_star_law.pdf",
    } <= names
    assert all(p.stat().st_size > 2000 for p in paths)
    assert {p.read_bytes()[:4] for p in paths} == {b"\x89PNG", b"%PDF"}


def test_gamma_zero_has_its_own_tick_and_the_axis_says_so(demo):
    figure = figures(demo)["metric_vs_gamma_raw"]
    axes = figure.axes[0]
    labels = [axes.xaxis.get_major_formatter()(t) for t in axes.xaxis.get_major_locator()()]
    assert labels[0] == "0" and "0 set apart" in axes.get_xlabel()
    zero = axes.xaxis.get_major_locator()()[0]
    drawn = np.concatenate([line.get_xdata() for line in axes.lines if len(line.get_xdata()) > 3])
    assert np.sum(np.isclose(drawn, zero)) == 3  # the three seeds at γ = 0


def test_an_optimum_at_the_edge_is_hollow_and_an_interior_one_filled(demo):
    drawn = figures(demo)
    edge = [
        ln for ln in drawn["metric_vs_gamma_norm_matched"].axes[0].lines if ln.get_marker() == ">"
    ]
    assert len(edge) == 1 and edge[0].get_markerfacecolor() == "white"
    inner = [ln for ln in drawn["metric_vs_gamma_raw"].axes[0].lines if ln.get_marker() == "^"]
    assert len(inner) == 1 and inner[0].get_markerfacecolor() == style.COLOURS[1]


def test_no_optimum_anywhere_is_said_and_not_drawn(tmp_path):
    result = made_up.result([made_up.arm("norm_matched", {1: "none", 2: "none"}, line=False)])
    said: list[str] = []
    paths = write(figures(result), tmp_path, say=said.append)
    assert not any("gamma_star_law" in p.name for p in paths)
    assert any("no depth of any arm has an optimum" in line for line in said)


def test_texts_stay_on_the_canvas_and_tick_labels_apart(demo):
    drawn = [f for f in figures(demo).values() if not isinstance(f, str)]
    assert len(drawn) >= 6
    for figure in drawn:
        with style.styled():
            style.settle(figure)
            figure.canvas.draw()  # legends find their place when drawn
        box = figure.bbox.padded(2)
        texts = list(figure.texts) + [t for legend in figure.legends for t in legend.get_texts()]
        for axes in figure.axes:
            texts += [axes.title, axes.xaxis.label, axes.yaxis.label]
        for text in texts:
            if text.get_visible() and text.get_text().strip():
                extent = text.get_window_extent()
                assert box.x0 <= extent.x0 and extent.x1 <= box.x1, text.get_text()
                assert box.y0 <= extent.y0 and extent.y1 <= box.y1, text.get_text()
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                labels = [
                    t.label1.get_window_extent()
                    for t in axis.get_major_ticks()
                    if t.label1.get_visible() and t.label1.get_text() and low <= t.get_loc() <= high
                ]
                for one, other in itertools.combinations(labels, 2):
                    assert not one.overlaps(other), (axes.get_title(), axis.axis_name)


def test_an_arm_without_a_finite_metric_is_said_and_not_drawn(demo):
    fit = demo.arms["raw"]
    for curve in fit.curves:
        curve.observed["used"] = False
    drawn = figures(made_up.result([fit]))["metric_vs_gamma_raw"]
    assert drawn == "arm raw: no run has a finite val_loss to draw against γ"
