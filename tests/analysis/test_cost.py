"""`analysis cost`: the known ratio of a made-up sweep is found, and what was never reached is a
bound, not a ratio."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.contrasts.cost import costs
from analysis.tables.curves import log_steps
from analysis.tables.groups import load_groups

CHANCE = 1 / 24
STEPS = np.unique(np.geomspace(8, 1000, 24).round()).astype(int)
SPEED = {0.0: 1.0, 0.2: 2.0, 0.8: 4.0, 3.2: 2.0}  # gamma -> how much faster


def loss(step, depth, gamma, luck, floor):
    """A power law in steps: depth 2 is 1.5 times faster for 2 times the price."""
    value = 20 * (step * SPEED[gamma] * 1.5 ** (depth - 1) * luck) ** -0.8
    return np.clip(value, floor, np.log(24))


def sweep(folder, seeds=8, noise=0.1, floor=0.0, arms=("raw",), gammas=tuple(SPEED)):
    rng = np.random.default_rng(0)
    rows, curves = [], []
    for arm, depth, gamma, seed in itertools.product(arms, (1, 2), gammas, range(seeds)):
        run = f"{arm}-{depth}-{gamma}-{seed}"
        at = loss(STEPS, depth, gamma, np.exp(rng.normal(0, noise)), floor if gamma == 0 else 0.0)
        rows.append((run, arm, depth, gamma, seed, at[-1]))
        curves.append(pd.DataFrame({"run_id": run, "step": STEPS, "val_loss": at}))
    table = pd.DataFrame(rows, columns=["run_id", "arm", "depth", "gamma", "seed", "val_loss"])
    table = table.assign(task="recall", lr=1e-3, width=32, status="completed", steps=1000,
                         chance=CHANCE, tokens=1000, flops=table["depth"] * 1e9,
                         params=table["depth"] * 5000.0, wall_s=2.0)  # fmt: skip
    table.to_parquet(folder / "table.parquet")
    pd.concat(curves).to_parquet(folder / "curves.parquet")
    return folder / "table.parquet"


def priced(path):
    ((label, table),) = load_groups(path).items()
    return costs(label, table)


def test_a_loss_is_reached_between_evaluations():
    track = np.array([[10, 1.0], [100, 0.1], [1000, 0.2]])
    found = np.exp(log_steps(track, np.array([2.0, 1.0, 10**-0.5, 0.1, 0.05])))
    assert found == pytest.approx([10, 10, 10**1.5, 100, np.inf])


def test_the_known_ratio_is_inside_a_narrow_interval(tmp_path):
    rows = priced(sweep(tmp_path)).rows
    flops = [r for r in rows if r["unit"] == "flops" and r["reached"] == "both"]
    assert len(flops) > 10
    middle = flops[len(flops) // 2]
    assert middle["low"] < 0.25 < middle["high"] and middle["high"] / middle["low"] < 2
    assert middle["configuration"].startswith("depth 1, γ = 0.8")
    assert middle["plain"].startswith("depth 1")  # faster in steps, dearer in FLOPs
    size = [r for r in rows if r["unit"] == "params" and r["reached"] == "both"]
    assert {round(r["ratio"], 3) for r in size} == {1.0, 0.5}  # near the end plain needs depth 2


def test_many_useless_settings_are_not_flattered(tmp_path, monkeypatch):
    """Momentum does nothing here and has 6 settings against 2: the ratio is 1."""
    for gamma in SPEED:
        monkeypatch.setitem(SPEED, gamma, 1.0)
    rows = priced(sweep(tmp_path, noise=0.4)).rows
    flops = [r for r in rows if r["unit"] == "flops" and r["reached"] == "both"]
    middle = flops[len(flops) // 2]
    assert middle["low"] < 1 < middle["high"]


def test_what_is_never_reached_without_momentum_is_a_bound(tmp_path, capsys):
    path = sweep(tmp_path, floor=0.5)
    low = [r for r in priced(path).rows if r["unit"] == "flops" and r["loss"] < 0.45]
    assert low and {r["reached"] for r in low} == {"with momentum"}
    assert {r["ratio"] for r in low} == {None} and {r["low"] for r in low} == {None}
    assert all(0 < r["high"] < 2.1 for r in low)
    assert main(["cost", str(path)]) == 0
    out = capsys.readouterr().out
    assert "is never reached without momentum within the budget: ratio <" in out
    assert "of the FLOPs of the best plain model" in out
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {"cost.png", "cost.pdf"}


def test_json_and_the_report_of_two_tasks(tmp_path, capsys):
    path = sweep(tmp_path, seeds=4)
    table = pd.read_parquet(path)
    table.loc[table["seed"] > 1, "task"] = "induction"
    table.to_parquet(path)
    assert main(["cost", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["task"] for one in found] == ["recall", "induction"]
    assert main(["report", str(path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "What a loss costs" in page and page.count("cost with over without") == 2


def test_one_seed_has_no_interval(tmp_path):
    found = priced(sweep(tmp_path, seeds=1))
    row = next(r for r in found.rows if r["reached"] == "both")
    assert row["low"] is None and row["high"] is None and "one seed" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [("no curves", "curves.parquet"), ("no zero", "no run has γ = 0"),
     ("only zero", "no run has momentum")],
)  # fmt: skip
def test_bad_input_is_one_line(change, said, tmp_path, capsys):
    gammas = {"no zero": (0.2, 0.8), "only zero": (0.0,)}.get(change, tuple(SPEED))
    path = sweep(tmp_path, gammas=gammas)
    if change == "no curves":
        (tmp_path / "curves.parquet").unlink()
    assert main(["cost", str(path)]) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("pricing")]
    assert out == "" and len(lines) == 1 and said in lines[0]


def test_the_report_says_costs_in_a_table_and_once(tmp_path):
    from analysis.show.cost_sentences import cells, sentences

    sweep(tmp_path, floor=0.02, arms=("raw", "key_only"))
    (found,) = (costs("t", t) for t in load_groups(tmp_path / "table.parquet").values())
    rows = cells(found)
    assert len(rows) + len(found.notes) == len(sentences(found)) > 6
    assert any(row[3].startswith("< ") for row in rows)
    main(["report", str(tmp_path / "table.parquet"), "--out", str(tmp_path / "r.html")])
    page = (tmp_path / "r.html").read_text()
    assert "What a loss costs" in page and "cost with over without" in page
    assert "of the best plain model" not in page
