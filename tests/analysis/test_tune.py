"""`analysis tune`: the choice of rate and grid is right, its file composes to what it says, and the
table made from it passes the fit's check of the rates."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from analysis.cli import main
from analysis.gamma_star.learning_rate import choose
from analysis.gamma_star.second_stage import second_stage
from analysis.tables.table import load
from orchestrator.config import run_config
from orchestrator.describe import describe
from tests.worlds import CHANCE, loss

COARSE = (0.0, 0.05, 0.2, 0.8, 3.2)
RATES = (5e-4, 1e-3, 2e-3, 4e-3, 8e-3)
SWEEP = """
defaults:
  - config
  - _self_
task: {pairs: 5}
sweep: {law: {name: gamma_star, metric: val_loss}}
hydra:
  sweeper:
    params:
      model.depth: 1,2,4
      model/momentum: raw,norm_matched
      model.momentum.gamma: 0,0.05,0.2,0.8,3.2
      optim.lr: 0.0005,0.001,0.002,0.004,0.008
      seed: 100
"""


def wanted(depth):
    return 4e-3 * depth**-0.5


def centre(depth):
    return 1.2 * depth**-0.7


def value(arm, depth, gamma, lr, rng):
    with np.errstate(divide="ignore"):
        x = np.log(np.array([gamma]))
    top = np.log(centre(depth))
    x = np.minimum(x, top) if arm == "norm_matched" else x  # past its best it stays
    noise = rng.normal(0, 0.03)
    return loss(x, top, depth, "skewed")[0] * np.exp(0.4 * np.log(lr / wanted(depth)) ** 2 + noise)


NORM = {"raw": "raw", "norm_matched": "matched"}


def frame(cells) -> pd.DataFrame:
    """Rows as collect writes them: the run's description, and a made-up result."""
    rng = np.random.default_rng(0)
    rows = []
    for arm, depth, gamma, lr, seed in cells:
        momentum = {"arm": arm, "norm": NORM[arm], "gamma": gamma}
        run = run_config(
            {"task": {"_target_": "orchestrator.tasks.recall.Recall", "pairs": 5},
             "model": {"depth": depth, "momentum": momentum}, "optim": {"lr": lr}, "budget": {"curve_sequences": 64},
             "seed": seed}
        )  # fmt: skip
        rows.append({**describe(run, arm, seed), "val_loss": value(arm, depth, gamma, lr, rng)})
    return pd.DataFrame(rows).assign(chance=CHANCE, status="completed", steps=400, tokens=1000)


def tuning(rates=RATES) -> pd.DataFrame:
    return frame(itertools.product(("raw", "norm_matched"), (1, 2, 4), COARSE, rates, (100,)))


def saved(runs: pd.DataFrame, folder):
    path = folder / "table.parquet"
    about = {"sweep": "mini_tune", "law": {"name": "gamma_star", "metric": "val_loss"},
             "expected": len(runs), "missing": []}  # fmt: skip
    arrow = pa.Table.from_pandas(runs, preserve_index=False)
    pq.write_table(
        arrow.replace_schema_metadata({b"orchestrator": json.dumps(about).encode()}), path
    )
    return path


def test_the_rate_and_the_grid_of_each_depth(tmp_path):
    chosen = second_stage(load(saved(tuning(), tmp_path)))
    assert [(c.arm, c.depth) for c in chosen] == [
        (a, d) for a in ("raw", "norm_matched") for d in (1, 2, 4)
    ]
    for c in chosen:
        assert c.lr == pytest.approx(wanted(c.depth), rel=0.1)
        assert c.zero_lr == pytest.approx(wanted(c.depth), rel=0.1)
        assert len(c.gammas) == 6
        if c.arm == "raw":
            assert c.gamma == pytest.approx(centre(c.depth), rel=0.35)
            assert c.gammas[0] < centre(c.depth) / 3 and c.gammas[-1] > centre(c.depth) * 3
        else:
            assert c.gamma is None and "no rise to the right" in c.notes[0]
            assert c.gammas[-1] > COARSE[-1] and c.gammas[0] == COARSE[1]


def test_an_edge_and_too_few_rates_are_said(tmp_path):
    chosen = second_stage(load(saved(tuning(rates=RATES[:2]), tmp_path)))
    said = " ".join(chosen[0].notes)
    assert "EDGE: the largest rate" in said and "2 rates tried; 5 are needed" in said


def test_diverged_runs_push_the_rate_down(tmp_path):
    runs = tuning()
    lost = runs["lr"] > 1.5 * runs["depth"].map(wanted)
    runs.loc[lost, ["status", "val_loss"]] = ["diverged", np.nan]
    assert second_stage(load(saved(runs, tmp_path)))[0].lr < wanted(1) * 1.2


def expand(text: str) -> list[tuple]:
    """The (arm, depth, gamma, lr, seed) that a file's grids stand for."""
    cells = []
    for grid in yaml.safe_load(text)["hydra"]["sweeper"]["grids"]:

        def values(key, grid=grid):
            said = str(grid[key])
            if said.startswith("range"):
                return range(*map(int, said[6:-1].split(",")))
            return said.split(",")

        cells += [(a, int(d), float(g), float(r), int(s)) for a, d, g, r, s in itertools.product(
            *map(values, ("model.momentum.arm", "model.depth", "model.momentum.gamma", "optim.lr",
                          "seed")))]  # fmt: skip
    return cells


def test_its_table_shows_that_the_rates_were_tuned(tmp_path, capsys):
    assert main(["tune", str(saved(tuning(), tmp_path)), "--name", "mini"]) == 0
    text = capsys.readouterr().out
    law = {"name": "gamma_star", "metric": "val_loss", "tuning_seeds": [100]}
    assert yaml.safe_load(text)["sweep"] == {"name": "mini", "law": law}
    cells = expand(text)
    assert len(cells) == len(set(cells)) == 150 + 2 * 3 * 7 * 8
    runs = frame(cells)
    for _, part in runs.groupby("arm"):
        rates = choose(part.reset_index(drop=True), np.log(part["val_loss"].to_numpy()), (100,))
        assert rates.check["passed"], rates.check["finding"]
        used = part[rates.use]
        assert len(used) == 3 * 7 * 8 and 100 not in set(used["seed"])
        assert set(rates.table["rates"]) == {5}


def test_a_reported_rate_far_from_the_wanted_one_fails_the_check(tmp_path, capsys):
    main(["tune", str(saved(tuning(), tmp_path))])
    runs = frame(expand(capsys.readouterr().out))
    runs = runs[runs["arm"] == "raw"].reset_index(drop=True)
    runs.loc[runs["seed"] < 100, "lr"] *= 4
    rates = choose(runs, np.log(runs["val_loss"].to_numpy()), (100,))
    assert not rates.check["passed"] and "factor of 2" in rates.check["finding"]


def test_the_file_composes(tmp_path, capsys, monkeypatch):
    from orchestrator.launch import verbs

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(tmp_path / "runs"))
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mini_tune.yaml").write_text(SWEEP)
    assert main(["tune", str(saved(tuning(), tmp_path)), "--seeds", "0-1"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "sweeps" / "mini.yaml").write_text(text)
    first, second = (
        {r.run.run_id: r.run for p in verbs.planned(name, []) for r in p.runs}
        for name in ("mini_tune", "mini")
    )
    assert len(first) == 150 and set(first) < set(second)  # the tuning runs are not trained again
    fresh = [r for k, r in second.items() if k not in first]
    assert len(fresh) == 2 * 3 * 7 * 2 and {r.seed for r in fresh} == {0, 1}
    assert {r.task.pairs for r in fresh} == {5}


@pytest.mark.parametrize(
    ("flags", "said"),
    [(("--seeds", "99-101"), "seed 100 was tuned on"), (("--points", "3"), "--points 3"),
     (("--seeds", "many"), "0-7"), (("--where", "lr > 1"), "leaves none")],
)  # fmt: skip
def test_bad_flags_are_one_line(flags, said, tmp_path, capsys):
    assert main(["tune", str(saved(tuning(), tmp_path)), *flags]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err


def test_plain_attention_stays_in_the_arm_that_tuned_it(tmp_path, capsys):
    runs = tuning()
    runs = runs[(runs["arm"] == "raw") | (runs["gamma"] > 0)]
    assert main(["tune", str(saved(runs, tmp_path))]) == 0
    zeros = {
        (arm, seed) for arm, _, gamma, _, seed in expand(capsys.readouterr().out) if gamma == 0
    }
    assert zeros == {("raw", seed) for seed in (100, *range(8))}


def test_what_the_tuning_sweep_varies_is_set_though_where_chose_it(tmp_path, capsys):
    near = tuning().assign(**{"model.rope_base": 100.0})
    far = tuning().assign(**{"model.rope_base": 1e4})
    far["run_id"] = "far" + far["run_id"]
    path = saved(pd.concat([near, far], ignore_index=True), tmp_path)
    assert main(["tune", str(path), "--where", "`model.rope_base` == 100"]) == 0
    file = yaml.safe_load(capsys.readouterr().out)
    assert file["model"]["rope_base"] == 100
    assert not any("model.rope_base" in g for g in file["hydra"]["sweeper"]["grids"])


def test_a_table_that_does_not_say_what_its_runs_were(tmp_path, capsys):
    runs = tuning()
    path = saved(runs.drop(columns=[c for c in runs if "." in c]), tmp_path)
    assert main(["tune", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"analysis: {path}: lacks the column 'task._target_': what its runs were can't be said "
        "again; give a table of `orchestrator collect`\n"
    )
