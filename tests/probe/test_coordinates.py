"""The coordinate check against sizes worked out by hand, and what it refuses."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest
import torch

from analysis.show.figures import coordinates as figure
from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.models.parametrisation import scale_of
from orchestrator.optimizers.adamw import AdamW
from orchestrator.probe.coordinates import measure, summary
from orchestrator.tasks.recall import Recall
from orchestrator.training.step import Core
from tests.conftest import orchestrator

BASES = {
    "standard": {},
    "mup": {"base_width": 32},
    "completep": {"base_width": 32, "base_depth": 2},
}


def a_run(how="standard", width=32, depth=2, seed=0, lr=4e-3, **model) -> RunConfig:
    shape = {
        "mlp_ratio": 2.0,
        "momentum": Momentum(gamma=0.4),
        "embedding_multiplier": 11.3,
    } | model
    return RunConfig(
        Recall(), Model(depth=depth, width=width, parametrisation=how, **BASES[how], **shape),
        AdamW(lr=lr, warmup=0, schedule="constant"), Budget(batch=64), seed=seed,
    )  # fmt: skip


def test_sizes_are_those_of_the_tensors_themselves():
    """The embedding's, whose sizes are its rows', and its change, which Adam's first step bounds by lr."""
    run = a_run("completep", width=64, depth=3)
    rows = {row["quantity"]: row for row in measure(run, 1)}
    assert set(rows) == {"embedding", "attention", "mlp", "scores", "residual", "logits"}
    table = Core(run, torch.device("cpu")).init(run).params[: run.task.vocab * 64]
    assert rows["embedding"]["start"] == pytest.approx(table.square().mean().sqrt().item(), rel=0.1)
    step = run.optim.lr * scale_of("embedding.weight", run.model).rate
    assert 0.3 * step < rows["embedding"]["update"] < 1.001 * step
    assert "mlp" not in {row["quantity"] for row in measure(a_run(mlp_ratio=0.0), 1)}


def test_what_a_rate_of_zero_changes_is_nothing():
    assert all(row["update"] == 0 for row in measure(a_run(lr=0.0), 3))


def test_steps_are_the_runs_own():
    """Loss after them is lower: they train."""
    one, more = ({r["quantity"]: r["update"] for r in measure(a_run(), n)} for n in (1, 8))
    assert all(more[name] > one[name] for name in one)


def test_powers_tell_the_parametrisations_apart():
    """By two seeds: theory's within .15 where it has one; standard's are not flat."""
    sizes = [(32, 2, "mup"), (128, 2, "mup"), (32, 2, "completep"), (32, 16, "completep")]
    sizes += [(32, 2, "standard"), (128, 2, "standard"), (32, 16, "standard")]
    frame = pd.DataFrame([
        row for width, depth, how in sizes for seed in range(2)
        for row in measure(a_run(how, width, depth, seed), 8)
    ])  # fmt: skip
    rows = summary(frame)
    found = {(r["parametrisation"], r["axis"], r["quantity"], r["when"]): r for r in rows}
    for (how, axis, quantity, when), row in found.items():
        vanishing = (quantity, when) == (
            "attention",
            "start",
        )  # its scores' limit is even attention
        if row["theory"] is not None and quantity != "scores" and not vanishing:
            assert row["power"] == pytest.approx(row["theory"], abs=0.15), (
                how,
                axis,
                quantity,
                when,
            )
            assert row["spread"] < 1.4
    assert found["standard", "width", "scores", "update"]["power"] > 0.5
    assert found["standard", "depth", "residual", "update"]["power"] > 0.4
    assert found["completep", "depth", "mlp", "start"]["power"] == pytest.approx(-1, abs=0.05)


def test_one_size_has_no_power_and_an_infinite_one_none():
    rows = [
        {"arm": "raw", "parametrisation": "mup", "width": w, "depth": 2, "head_dim_fixed": False, "seed": 0,
         "quantity": "logits", "start": 1.0, "update": math.nan if w == 64 else 1.0}
        for w in (32, 64)
    ]  # fmt: skip
    powers = {r["when"]: r for r in summary(pd.DataFrame(rows))}
    assert powers["start"]["power"] == pytest.approx(0) and powers["start"]["theory"] == -0.5
    assert powers["update"]["power"] is None and powers["update"]["spread"] is None
    assert summary(pd.DataFrame(rows[:1])) == []
    drawn = figure.draw(pd.DataFrame(rows), pd.DataFrame(powers.values()), "width")
    assert not isinstance(drawn, str)
    assert "differ in depth" in figure.draw(
        pd.DataFrame(rows), pd.DataFrame(powers.values()), "depth"
    )


SMALL = ["model.width=8,16", "model.depth=1", "budget.steps=20", "model.momentum.gamma=0.4"]


def test_the_verb_writes_a_table_and_a_figure_and_trains_nothing(sweep_file, store):
    done = orchestrator("probe", "small", "--coordinates", "--steps", "3", "--json", *SMALL)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["axis"] for row in found["powers"]} == {"width"} and found["steps"] == 3
    table, *figures = found["files"]
    frame = pd.read_parquet(table)
    assert set(frame["width"]) == {8, 16} and len(frame["run_id"].unique()) == found["runs"]
    assert [f.rpartition("/")[2] for f in figures] == [
        "coordinates_width.png",
        "coordinates_width.pdf",
    ]
    assert not (store / "packs").exists() or not list((store / "packs").iterdir())
    shown = orchestrator("probe", "small", "--coordinates", "--steps", "3", *SMALL)
    assert "logits" in shown.stdout and table in shown.stdout
    rule = orchestrator(
        "probe", "small", "--coordinates", "--steps", "3", *SMALL, "optim.lr=0.1/width"
    )
    assert rule.returncode == 0, rule.stderr


@pytest.mark.parametrize(("words", "said"), [
    ([*SMALL, "--steps", "0"], "must be at least 1"),
    ([*SMALL, "--steps", "21"], "budget.steps is less"),
    ([*SMALL, "optim.lr=1e-3,2e-3"], "optim.lr=0.001,0.002: runs of one size may differ in their seeds alone"),
    ([*SMALL, "task=recall,induction"], "give one value, or name each model.momentum.arm"),
    (["model.width=8", *SMALL[1:]], "no two runs differ in model.width or model.depth alone"),
])  # fmt: skip
def test_bad_input_is_one_line(words, said, sweep_file, store):
    done = orchestrator("probe", "small", "--coordinates", *words)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_overrides_are_of_coordinates_alone(sweep_file, store):
    done = orchestrator("probe", "small", "model.width=8")
    assert done.returncode == 2 and "with --coordinates alone" in done.stderr
