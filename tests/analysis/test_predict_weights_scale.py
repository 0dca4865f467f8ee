"""γ* at a depth asked for, every depth from the shallower ones, runs weighted, noise even in the metric."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.errors import InputError
from analysis.gamma_star import fit
from analysis.gamma_star.cells import cells_of
from analysis.tables.metrics import scale
from analysis.tables.table import LINEAR, from_frame, weighted
from tests.planted import crossed_widths
from tests.worlds import World, power, simulate, table_of

WORLD = World("w", power(4.17, 0.5), depths=(1, 2, 3, 4, 6, 8), seeds=4, tuned=False)


def first(table, **choices):
    return fit(table, explore=False, **choices).arms["raw"]


def test_a_new_depth_lies_in_its_prediction_interval():
    inside, widths = 0, []
    for i in range(30):
        random = np.random.default_rng([11, i])
        found = first(table_of([WORLD.but(depth_sd=0.12)], random), predict="N=24")
        at = found.law.data["predicted"]
        new = 4.17 * 24**-0.5 * np.exp(random.normal(0, 0.12))  # the new depth's own
        inside += at["low"] <= new <= at["high"]
        widths.append(np.log(at["high"] / at["low"]))
        assert at["beyond"] == 3 and any("predicted at depth 24" in s for s in found.sentences)
    assert inside >= 27  # 28.5 expected
    assert np.median(widths) < 2.0  # and it says something


def test_no_depth_knows_of_deeper_ones():
    table = table_of([WORLD], np.random.default_rng(0))
    deep = table.runs["depth"] == 8
    moved = table.runs.assign(gamma=np.where(deep, 2 * table.runs["gamma"], table.runs["gamma"]))
    one, other = (first(replace(table, runs=r)).law.data["roll_out"] for r in (table.runs, moved))
    assert [s["depth"] for s in one["steps"]] == [4, 6, 8]
    for a, b in zip(one["steps"], other["steps"], strict=True):
        # shrinking of the depths' variances alone passes between them
        assert a["predicted"] == pytest.approx(b["predicted"], rel=0.02)
    assert other["steps"][-1]["seen"] == pytest.approx(2 * one["steps"][-1]["seen"], rel=0.05)
    assert other["rms"] > one["rms"] + 0.1


@pytest.mark.parametrize("text", ["16", "N=", "N=-1", "M=3", "width=64", "N=1,N=2", "N=nan", ""])
def test_a_place_that_is_none_is_one_line(text):
    with pytest.raises(InputError, match="--predict"):
        first(table_of([WORLD], np.random.default_rng(0)), predict=text)


def test_a_width_is_asked_for_where_there_are_several():
    frame = crossed_widths(np.random.default_rng(0))
    table = table_of([WORLD], np.random.default_rng(0))
    table = replace(table, runs=frame)
    with pytest.raises(InputError, match="width=NUMBER"):
        first(table, predict="N=24")
    at = first(table, predict="N=24,width=64").law.data["predicted"]
    assert at["low"] < 4.17 * 24**-0.74 * 2**-0.4 < at["high"]
    with pytest.raises(InputError, match="has width 64 alone"):
        first(table_of([WORLD], np.random.default_rng(0)), predict="N=2,width=32")


def noisy(random: np.random.Generator, loud: float = 6.0) -> pd.DataFrame:
    """Every other seed is `loud` times as noisy; w says so."""
    frame = simulate(WORLD.but(noise=0.05, seeds=6), random)
    odd = frame["seed"] % 2 == 1
    more = np.exp(random.normal(0, 0.05 * loud, len(frame)))
    frame["val_loss"] *= np.where(odd, more, 1.0)
    return frame.assign(w=np.where(odd, 3 / (1 + loud**2), 3.0))


def test_weights_tell_loud_runs_from_quiet_ones():
    off = {None: [], "w": []}
    for i in range(12):
        table = table_of([WORLD], np.random.default_rng(0))
        table = replace(table, runs=noisy(np.random.default_rng([3, i])))
        for column, errors in off.items():
            law = first(weighted(table, column)).law
            errors.append(law.parameters["b"].estimate - 0.5)
    assert np.std(off["w"]) < 0.75 * np.std(off[None])


def test_equal_weights_are_none_and_are_said():
    table = table_of([WORLD], np.random.default_rng(0))
    ones = weighted(replace(table, runs=table.runs.assign(w=7.0)), "w")
    one, other = fit(table, explore=False), fit(ones, explore=False)
    for name in ("a", "b"):
        p, q = (r.laws[0].parameters[name] for r in (one, other))
        assert [q.estimate, q.low, q.high] == pytest.approx([p.estimate, p.low, p.high], rel=1e-6)
    assert other.provenance["differs"] == {"weights": {"frozen": None, "used": "w"}}
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="--weights 'w'"):
            weighted(replace(table, runs=table.runs.assign(w=bad)), "w")
    with pytest.raises(InputError, match="no such column"):
        weighted(table, "v")


def even(random: np.random.Generator) -> pd.DataFrame:
    """Noise that is even in the loss itself: small losses, near the optimum, are relatively loud."""
    frame = simulate(WORLD.but(noise=0.0), random)
    value = frame["val_loss"] + random.normal(0, 0.02, len(frame))
    return frame.assign(val_loss=np.maximum(value, 1e-3))


def test_a_files_own_columns_are_no_flags():
    """Only --cluster, --weights and --scale make units and weights, whatever a file's columns are called."""
    frame = simulate(World("p", power(), (1, 2, 3, 4), seeds=2), np.random.default_rng(1))
    own = {"unit": range(len(frame)), "weight": frame["val_loss"] ** 4, "linear": True}
    named = frame.assign(**own, **{f"fit.{name}": value for name, value in own.items()})
    laws = [
        fit(from_frame(f, {}, Path("t.parquet")), explore=False).laws[0] for f in (frame, named)
    ]
    assert laws[0].parameters == laws[1].parameters and laws[0].checks == laws[1].checks


def test_noise_even_in_the_metric():
    table = table_of([WORLD], np.random.default_rng(0))
    off = {"log": [], "linear": []}
    for i in range(10):
        runs = even(np.random.default_rng([4, i]))
        for name, errors in off.items():
            result = fit(weighted(replace(table, runs=runs), None, name), explore=False)
            errors.append(result.laws[0].parameters["b"].estimate - 0.5)
        assert result.provenance["differs"] == {"scale": {"frozen": "log", "used": "linear"}}
    assert np.sqrt(np.mean(np.square(off["linear"]))) < 0.9 * np.sqrt(
        np.mean(np.square(off["log"]))
    )


def test_even_noise_is_found_even():
    """On the linear scale a run of weight 1 is about as noisy in any cell of a depth."""
    frame = even(np.random.default_rng(1))
    spread = []
    for runs in (frame, frame.assign(**{LINEAR: True})):
        (cells, *_) = cells_of(runs, scale(runs, "val_loss"), np.ones(len(runs), bool))
        spread.append(np.ptp(np.log(cells.variance)))
    assert cells.weight.mean() == pytest.approx(1) and spread[1] < 2 and spread[0] > 2 * spread[1]


def test_the_flags_write_beside_the_frozen_law(tmp_path, capsys):
    frame = simulate(WORLD, np.random.default_rng(0)).assign(w=1.0)
    frame.to_parquet(tmp_path / "table.parquet")
    path = str(tmp_path / "table.parquet")
    assert main(["fit", path, "--quick", "--scale", "linear", "--weights", "w", "--predict",
                 "depth=16"]) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "predicted at depth 16" in said and "weighted by w" in said
    assert not (tmp_path / "laws.json").exists()
    assert len(list(tmp_path.glob("laws.exploratory-*.json"))) == 1
    assert main(["fit", path, "--weights", "v"]) == 2
    said = [x for x in capsys.readouterr().err.splitlines() if not x.startswith("fitting ...")]
    assert len(said) == 1  # beside the progress of a fit that takes a while
