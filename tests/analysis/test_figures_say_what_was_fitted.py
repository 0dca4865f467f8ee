"""Figures draw what the fit fits and bounds: means on its scale, floors of flat valleys, arrows where
nothing bounds an interval, numbers on axes that people can read, and every run's training."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.show import verdict_words
from analysis.show.figures import law_line, metric_curves, style, training
from analysis.show.figures.valley import flat
from analysis.show.html.fit import verdicts
from analysis.tables.table import from_frame
from tests.analysis import made_up
from tests.worlds import World, power, simulate


def labels(axis) -> list[float]:
    low, high = sorted(axis.get_view_interval())
    ticks = [t for t in axis.get_major_locator()() if low <= t <= high]
    return [float(axis.get_major_formatter()(t)) for t in ticks]


def test_a_dash_is_the_mean_of_what_is_fitted():
    fit = made_up.arm("raw", {1: "interior"})
    drawn = metric_curves.draw(fit)
    dashes = [ln for ln in drawn.axes[0].lines if ln.get_marker() == "_"]
    runs = fit.curves[0].observed
    means = np.exp(np.log(runs["value"]).groupby(runs["gamma"]).mean())
    assert sorted(float(ln.get_ydata()[0]) for ln in dashes) == pytest.approx(sorted(means))


@pytest.mark.parametrize(
    "gammas",
    [
        np.geomspace(0.0317, 3.13, 9), np.array([0, 0.058, 0.11, 0.191, 0.27, 0.692, 2.57]),
        np.array([0, 0.1, 0.2, 0.4, 0.8, 1.6]), np.geomspace(0.003, 70, 25),
        np.array([0.31, 0.33, 0.37]), np.array([0.0, 1.7]),
    ],
)  # fmt: skip
def test_gamma_ticks_are_1_2_5_numbers_that_do_not_touch(gammas):
    with style.styled():
        figure, axes = style.figure(1, 4, style.DOUBLE, 2.0)
        style.gamma_axis(axes[0, 0], gammas)
        style.settle(figure)
        figure.canvas.draw()
    said = [v for v in labels(axes[0, 0].xaxis) if v > 0]
    assert said
    if gammas[gammas > 0].max() / gammas[gammas > 0].min() > 4:
        assert len(said) > 1 and all(f"{v:e}"[0] in "125" and float(f"{v:.0e}") == v for v in said)
    boxes = [t.label1.get_window_extent() for t in axes[0, 0].xaxis.get_major_ticks()]
    boxes.sort(key=lambda box: box.x0)
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


@pytest.mark.parametrize("span", [(0.004, 5), (0.1, 10), (0.3, 2.9), (2.1, 2.4), (90, 130)])
def test_the_numbers_of_a_log_axis_are_round(span):
    with style.styled():
        figure, axes = style.figure()
        ax = axes[0, 0]
        ax.set_yscale("log")
        ax.set_ylim(*span)
        style.log_ticks(ax, "y")
        figure.canvas.draw()
    said = labels(ax.yaxis)
    assert len(said) >= 2 and all(float(f"{v:.3g}") == v for v in said)
    assert not {3.0, 7.0, 0.3, 0.7, 0.03, 0.07} & set(said)


def with_optimum(fit, **changes):
    curve = fit.curves[0]
    return replace(fit, curves=[replace(curve, optimum=replace(curve.optimum, **changes))])


def test_a_tight_optimum_in_a_flat_valley_is_drawn_as_the_floor():
    fit = made_up.arm("raw", {2: "interior"})
    tight = with_optimum(fit, gamma=1.0, low=0.7, high=1.4, plateau_low=0.13, plateau_high=10.0)
    sharp = with_optimum(fit, gamma=1.0, low=0.7, high=1.4, plateau_low=0.8, plateau_high=1.2)
    assert flat(tight.curves[0].optimum) and not flat(sharp.curves[0].optimum)
    for arm, hollow in ((tight, True), (sharp, False)):
        panel = metric_curves.draw(arm).axes[0]
        (marker,) = [ln for ln in panel.lines if ln.get_marker() == "^"]
        assert (marker.get_markerfacecolor() == "white") is hollow
        law = law_line.draw(made_up.result([arm]))
        wide = [ln for ln in law.axes[0].lines if ln.get_linewidth() == 4]
        assert len(wide) == hollow
        said = " ".join(t.get_text() for legend in law.legends for t in legend.get_texts())
        assert ("flat valley" in said) is hollow


@pytest.mark.parametrize(("low", "high", "arrows"), [(0.5, None, 1), (None, None, 2), (0.5, 2, 0)])
def test_an_end_that_nothing_bounds_is_an_arrow(low, high, arrows):
    fit = with_optimum(made_up.arm("raw", {2: "interior"}), gamma=1.0, low=low, high=high)
    panel = law_line.draw(made_up.result([replace(fit, held_out=None)])).axes[0]
    assert sum(t.arrow_patch is not None for t in panel.texts) == arrows


@pytest.mark.parametrize("count", range(1, 10))
def test_every_column_of_panels_has_numbers_at_its_foot(count):
    _, axes = style.panels(count, most=3, sharex=True)
    columns = axes[0].get_gridspec().ncols
    for ax in axes[-columns:]:
        assert ax.xaxis.get_tick_params()["labelbottom"]


def trained(lost: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = pd.DataFrame([
        {"run_id": f"{d}-{g}-{s}", "arm": "raw", "depth": d, "gamma": g, "seed": s,
         "status": "completed", "chance": 0.1, "val_loss": 0.1, "accuracy": 1.0 if g else 0.1}
        for d in (1, 2) for g in (0.0, 0.2, 0.8) for s in range(2)
    ])  # fmt: skip
    runs.loc[: lost - 1, "status"] = "diverged"
    curves = pd.concat([
        runs[["run_id"]].assign(step=step, val_loss=2.0 / step) for step in (1, 10, 100)
    ])  # fmt: skip
    return runs, curves


def test_training_shows_every_run_with_its_gamma_and_whether_it_formed():
    runs, curves = trained(lost=1)
    drawn = training.draw(runs, curves, "val_loss", "raw")
    assert [ax.get_title() for ax in drawn.axes] == ["depth 1", "depth 2"]
    for ax, depth in zip(drawn.axes, (1, 2), strict=True):
        (lines,) = ax.collections
        assert len(lines.get_segments()) == (runs["depth"] == depth).sum()
        dashed = [d[1] is not None for d in lines.get_linestyles()]
        assert sum(dashed) == 2  # the two seeds at γ = 0 stay at chance
        assert len({tuple(c) for c in lines.get_colors()}) == 3
    said = [t.get_text() for t in drawn.legends[0].get_texts()]
    assert {"γ = 0", "γ = 0.8", "formed", "did not form", "diverged or failed"} <= set(said)


def test_without_a_gamma_training_is_by_arm_and_depth():
    runs, curves = trained()
    drawn = training.draw(runs.assign(gamma=np.nan, arm="Mamba"), curves, "val_loss")
    assert [ax.get_title() for ax in drawn.axes] == ["Mamba"]
    assert "depth = 2" in [t.get_text() for t in drawn.legends[0].get_texts()]


def test_without_curves_training_is_said_not_drawn():
    runs, curves = trained()
    assert "no curves.parquet" in training.draw(runs, curves.head(0), "val_loss", "raw")


def test_the_verdict_asks_answers_and_gives_reasons_in_words():
    failed = {"passed": False, "contradicted": True, "finding": "b's interval holds 0"}
    raw = made_up.arm("raw", {1: "interior", 2: "interior"})
    raw = replace(raw, law=replace(raw.law, verdict="not supported", checks={"stable": failed}))
    edge = made_up.arm("norm_matched", {1: "right", 2: "right"}, line=False)
    page = verdicts(made_up.result([raw, edge]))
    assert page.index("a power law") < page.index("class='answer'") < page.index("Arm <b>raw")
    assert "the data contradict it in raw" in page
    assert "The exponent may be 0 or hangs on a single depth (b&#x27;s interval holds 0)" in page
    assert "up to the largest γ tried at depth 1, 2" in page


def test_arms_of_one_verdict_and_reason_are_said_once():
    arms = [made_up.arm(a, {1: "right", 2: "right"}, line=False) for a in ("one", "two", "three")]
    page = verdicts(made_up.result(arms))
    assert "Arms <b>one</b>, <b>two</b>, <b>three</b>" in page
    assert page.count("up to the largest γ tried") == 1


def test_one_depth_is_said_to_say_nothing_of_a_law_of_depth():
    page = verdicts(made_up.result([made_up.arm("raw", {2: "interior"}, line=False)]))
    assert "one depth: they say nothing of a law of depth" in page
    assert "fit a power law" not in page


def test_a_symbol_that_opens_a_sentence_keeps_its_case():
    assert verdict_words.sentence("b is known") == "b is known."
    assert verdict_words.sentence("a rate is off") == "A rate is off."


def test_every_check_that_can_fail_has_plain_words():

    frame = simulate(World("w", power(4.0, 0.7), seeds=3), np.random.default_rng(0))
    (arm,) = analysis.fit(from_frame(frame, {}, Path("t")), explore=False).arms.values()
    assert set(arm.law.checks) <= set(verdict_words.FAILED)
