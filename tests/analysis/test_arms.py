"""`analysis arms`: chosen on some seeds and judged on others, paired, plain attention pooled, mixed
tasks side by side."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.contrasts.arms import compare_arms
from analysis.stats.tests import mean, median_time, proportion_gap
from analysis.tables.groups import load_groups

CHANCE = 1 / 24
TOP = np.log(24)
BEST = {"raw": 0.05, "key_only": 0.025, "gain_only": 2.6}


def frame(seeds=range(8), tasks=("recall",), noise=0.1) -> pd.DataFrame:
    """raw, key_only (half its loss), gain_only (never learns) and an arm set by its angle; the data
    of a seed move all arms alike by far more than the noise."""
    rng = np.random.default_rng(0)
    shared = dict(zip(seeds, rng.normal(0, 0.6, len(seeds)), strict=True))
    rows = []
    for task, seed, lr in itertools.product(tasks, seeds, (1e-3, 4e-3)):
        slow = 0.5 * (lr != 4e-3)
        for arm, gamma in itertools.product(BEST, (0.0, 0.2, 0.8)):
            level = BEST[arm] * (2.0 if gamma == 0.2 else 1.0) if gamma else 2.8
            rows.append((task, arm, gamma, None, seed, lr, level, slow))
        rows += [(task, "angle", None, phi, seed, lr, 0.05 + abs(phi - 30) / 20, slow)
                 for phi in (-30.0, 30.0)]  # fmt: skip
    columns = ["task", "arm", "gamma", "model.momentum.angle", "seed", "lr", "level", "slow"]
    out = pd.DataFrame(rows, columns=columns)
    size = out["level"] * np.exp(
        out["slow"] + out["seed"].map(shared) + rng.normal(0, noise, len(out))
    )
    loss = np.minimum(size, TOP * 0.99)
    plain = out["gamma"] == 0  # the same model whatever the arm
    loss[plain] = loss[plain].groupby([out["task"], out["seed"], out["lr"]]).transform("first")
    return out.drop(columns=["level", "slow"]).assign(
        val_loss=loss, accuracy=1 - (1 - CHANCE) * loss / TOP, chance=CHANCE, chance_loss=TOP,
        run_id=[f"r{i}" for i in range(len(out))], status="completed", depth=1, width=32, steps=400,
        tokens=1000, steps_to_solve=np.where(loss < 0.4, 100.0 * np.exp(loss), np.nan),
        **{"model.momentum.gamma": out["gamma"].fillna(0.0)},
    )  # fmt: skip


def saved(runs: pd.DataFrame, folder):
    runs.to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


def judged(runs, folder, **choices):
    return compare_arms(load_groups(saved(runs, folder)), **choices)


def test_each_arm_is_judged_at_its_best_setting_on_seeds_that_did_not_choose(tmp_path):
    found = judged(frame(), tmp_path)
    rows = {r["arm"]: r for r in found.rows}
    assert set(rows) == {"none", *BEST, "angle"} and found.reference == "raw"
    assert rows["raw"]["setting"] == "γ = 0.8, lr = 0.004"
    assert rows["angle"]["setting"] == "φ = 30°, lr = 0.004"
    assert {r["seeds"] for r in rows.values()} == {4}
    assert {r["chosen"] for r in rows.values()} == {"chosen on seeds 0-3"}
    later = frame().query("seed >= 4 and arm == 'raw' and gamma == 0.8 and lr == 0.004")["val_loss"]
    assert rows["raw"]["val_loss"] == pytest.approx(np.exp(np.log(later).mean()))


def test_a_shared_seed_is_taken_out_of_a_difference(tmp_path):
    rows = {r["arm"]: r for r in judged(frame(), tmp_path).rows}
    key = rows["key_only"]
    assert key["ratio_low"] < 0.5 < key["ratio_high"] and key["p_holm"] < 0.05
    # unpaired, the spread between seeds would hide it
    assert key["val_loss_high"] > rows["raw"]["val_loss_low"]
    assert rows["raw"]["ratio"] is None


def test_plain_attention_is_one_arm_with_one_run_a_rate_and_seed(tmp_path):
    row = {r["arm"]: r for r in judged(frame(), tmp_path).rows}["none"]
    assert row["runs"] == row["seeds"] == 4 and row["setting"] == "lr = 0.004"


def test_another_model_at_gamma_0_is_not_the_plain_one(tmp_path):
    runs = frame().assign(**{"model.rope_base": 1e4})
    bare = runs[runs["arm"] == "raw"].assign(arm="no_positions", **{"model.rope_base": None})
    bare["run_id"] = "b" + bare["run_id"]
    both = pd.concat([runs, bare], ignore_index=True)
    rows = {r["arm"]: r for r in judged(both, tmp_path).rows}
    assert rows["none"]["runs"] == rows["none (no_positions)"]["runs"] == 4


def test_tuning_seeds_choose_and_all_others_judge(tmp_path):
    runs = frame()
    tables = load_groups(saved(runs, tmp_path))
    ((label, table),) = tables.items()
    from dataclasses import replace

    primary = replace(table.primary, tuning_seeds=(0,))
    rows = compare_arms({label: replace(table, primary=primary)}).rows
    assert {r["seeds"] for r in rows} == {7} and {r["chosen"] for r in rows} == {
        "chosen on seeds 0"
    }


def test_formation_with_and_without_momentum(tmp_path):
    found = judged(frame(), tmp_path)
    gaps = {(g["arm"], g["gamma"]): g for g in found.gammas}
    assert set(gaps) == set(itertools.product(BEST, (0.2, 0.8)))
    good, bad = gaps["raw", 0.8], gaps["gain_only", 0.8]
    assert (
        (good["formed"], good["formed_at_0"]) == (4, 0)
        and good["low"] > 0
        and good["p_holm"] < 0.05
    )
    assert bad["gap"] == 0 and bad["low"] < 0 < bad["high"] and bad["p"] == 1
    rows = {r["arm"]: r for r in found.rows}
    assert rows["gain_only"]["steps"] is None and rows["gain_only"]["steps_low"] == 400
    assert rows["raw"]["steps"] == pytest.approx(105, rel=0.1)


def test_a_diverged_run_counts_at_chance(tmp_path):
    runs = frame()
    lost = (runs["arm"] == "key_only") & (runs["seed"] == 6) & (runs["gamma"] > 0)
    runs.loc[lost, ["status", "val_loss", "accuracy"]] = ["diverged", np.nan, np.nan]
    row = {r["arm"]: r for r in judged(runs, tmp_path).rows}["key_only"]
    assert row["diverged"] == 1 and row["formed"] == 3 and row["val_loss_high"] > 1


def test_tasks_are_compared_side_by_side(tmp_path, capsys):
    path = saved(frame(tasks=("recall", "induction")), tmp_path)
    assert main(["arms", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {r["task"] for r in found["rows"]} == {"recall", "induction"}
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {
        f"arms_{t}.{kind}" for t in ("recall", "induction") for kind in ("png", "pdf")
    }
    assert main(["fit", str(path)]) == 2
    assert "--where" in capsys.readouterr().err
    assert main(["arms", str(path), "--where", "task == 'recall'"]) == 0
    out = capsys.readouterr().out
    assert "0/4 form without momentum" in out and "induction" not in out
    assert main(["report", str(path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "Arms side by side" in page and page.count("<figure>") == 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [(("--reference", "rwa"), "rwa"), (("--metric", "steps_to_solve"), "steps_to_solve"),
     (("--where", "depth > 9"), "leaves none"), (("--where", "deep > 1"), "deep")],
)  # fmt: skip
def test_bad_flags_are_one_line(flags, said, tmp_path, capsys):
    assert main(["arms", str(saved(frame(), tmp_path)), *flags]) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("comparing")]
    assert out == "" and len(lines) == 1 and said in lines[0]


def test_uncensored_steps_have_the_interval_of_student():
    steps = np.exp(np.random.default_rng(1).normal(5, 0.4, 6))
    found = median_time(steps, np.full(6, 1e6))
    assert found == pytest.approx(tuple(np.exp(mean(np.log(steps)))), rel=0.04)


def test_censored_steps_are_no_mean_of_those_that_solved():
    steps = np.array([200.0, 300.0, np.nan, np.nan, np.nan])
    middle, low, high = median_time(steps, np.full(5, 400.0))
    assert middle is None and low > 150 and high is None


def test_five_of_five_against_none_of_five():
    gap = proportion_gap(5, 5, 0, 5)
    assert gap["p"] == pytest.approx(0.00195, abs=2e-4) and gap["low"] > 0.3
