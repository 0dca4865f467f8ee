"""Tables of several lengths of the same models: the law of the longest, and b at each length."""

import json

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.__main__ import main
from analysis.errors import InputError
from analysis.tables.table import load
from tests.worlds import FULL, World, power, simulate

B = {250: 0.2, 500: 0.5, 1000: 0.8}


def lengths(tmp_path, seed=0, arms=("raw", "norm_matched"), **world):
    """A table of models trained to each length, where b grows with it."""
    rng = np.random.default_rng(seed)
    parts = []
    for arm in arms:
        for steps, b in B.items():
            part = simulate(
                World(arm, power(3.0, b), gammas=FULL[:13], seeds=6, arm=arm, **world), rng
            )
            part["trunk"] = part["run_id"]
            part["run_id"] = [f"{run}-{steps}" for run in part["run_id"]]
            parts.append(part.assign(**{
                "steps": steps, "tokens": steps * 1000, "budget.steps": steps,
                "budget.eval_steps": str([s for s in (100, 300, 700) if s < steps]),
            }))  # fmt: skip
    path = tmp_path / "table.parquet"
    pd.concat(parts, ignore_index=True).to_parquet(path)
    return path


def test_the_law_is_of_the_longest_and_b_stands_for_each_length(tmp_path, capsys):
    path = lengths(tmp_path)
    table = load(path)
    assert set(table.runs["budget.steps"]) == {1000}
    assert table.expected == len(table.runs) == len(table.shorter) / 2
    fit = analysis.fit(table)
    for arm, rows in fit.training_time.groupby("arm"):
        assert list(rows["step"]) == [250, 500, 1000] and rows["annealed"].all()
        for row in rows.itertuples():
            assert row.low <= B[row.step] <= row.high and row.high - row.low < 0.4
        assert rows["b"].iloc[-1] == pytest.approx(
            fit.arms[arm].law.parameters["b"].estimate, rel=0.01
        )
    assert main(["fit", str(path)]) == 0
    out = capsys.readouterr().out
    assert "the law is of the longest runs, 1000 steps; those of 250, 500 steps say how" in out
    assert "raw: b by the steps that a run trains: 0." in out and " at 1000" in out


def test_pages_are_of_the_law_and_arms_stand_at_each_length(tmp_path, capsys):
    path = lengths(tmp_path)
    page = analysis.report(path).read_text()
    assert "The exponent against training time" in page and "longest runs, 1000 steps" in page
    assert main(["arms", str(path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {r["task"] for r in rows} == {f"simulated, steps={n}" for n in B}


def test_lengths_of_other_models_are_not_mixed(tmp_path):
    """Without a trunk, as under cosine, lengths are budgets that a law is not fitted across."""
    frame = pd.read_parquet(lengths(tmp_path))
    for trunk in (None, frame["trunk"].where(frame["budget.steps"] == 1000)):
        frame.assign(trunk=trunk).to_parquet(tmp_path / "other.parquet")
        with pytest.raises(InputError, match="mixes budgets"):
            load(tmp_path / "other.parquet")
    only = load(tmp_path / "table.parquet", "`budget.steps` == 500")
    assert only.shorter is None and len(only.notes) == 0
    two = load(tmp_path / "table.parquet", "`budget.steps` < 1000")
    assert set(two.shorter["budget.steps"]) == {250}


def test_final_losses_of_one_trunk_are_one_unit(tmp_path):
    """`analysis law` finds by itself that the lengths of a model are not independent."""
    frame = pd.read_parquet(lengths(tmp_path, arms=("raw",)))
    frame = frame[frame["gamma"] == 1.0] if (frame["gamma"] == 1.0).any() else frame
    frame.to_csv(tmp_path / "runs.csv", index=False)
    found = analysis.law("chinchilla", tmp_path / "runs.csv", "N=depth,D=tokens,L=val_loss")
    assert found.law.data["units"]["column"] == "trunk"
    frame.loc[frame.index[:50], "trunk"] = (
        None  # runs under cosine are of no trunk, and of no common one
    )
    frame.to_csv(tmp_path / "mixed.csv", index=False)
    found = analysis.law("chinchilla", tmp_path / "mixed.csv", "N=depth,D=tokens,L=val_loss")
    assert found.law.data["units"] is None
