"""Composition equals Hydra's, for the whole of its multirun grammar."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.multirun import run_hydra
from orchestrator.launch.sweeps import find_sweep, shipped


def composed(*overrides: str, sweep: str = "demo") -> list[Experiment]:
    out: list[Experiment] = []

    def verb(batch):
        out.extend(batch)
        return [None] * len(batch)

    run_hydra(find_sweep(sweep), list(overrides), verb)
    return out


def values(experiments, read):
    return [read(e.run) for e in experiments]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.width=8,16", [8, 16]),
        ("model.width=choice(8,16,24)", [8, 16, 24]),
        ("model.width=range(8,25,8)", [8, 16, 24]),
        ("model.width=sort(24,8,16,reverse=true)", [24, 16, 8]),
        ("model.width=8", [8]),
    ],
)
def test_multirun_grammar(store, override, expected):
    one = ["model.depth=1", "model/momentum=raw", "model.momentum.gamma=0", "seed=0"]
    assert values(composed(*one, override), lambda r: r.model.width) == expected


def test_the_command_line_replaces_the_files_axis(store):
    runs = composed("model.momentum.gamma=7", "seed=5", "model.depth=2")
    assert len(runs) == 2  # the two arms
    assert values(runs, lambda r: r.model.momentum.gamma) == [7.0, 7.0]
    assert values(runs, lambda r: r.model.momentum.norm) == ["raw", "matched"]


def test_group_globs_lists_nulls_and_additions(store):
    runs = composed(
        "model/momentum=glob(*only)", "model.depth=2", "seed=0", "model.momentum.gamma=[1,2]",
        "optim.clip=null",
    )  # fmt: skip
    assert values(runs, lambda r: r.model.momentum.arm) == ["gain_only", "key_only", "query_only"]
    assert values(runs, lambda r: r.optim.clip) == [None] * 3
    assert runs[0].run.model.momentum.gamma == [1.0, 2.0]


def test_every_arm_is_a_config_of_its_name(store):
    files = {p.stem for p in (shipped("conf") / "model/momentum").glob("*.yaml")}
    runs = composed("model/momentum=glob(*)", sweep=str(shipped("conf") / "config.yaml"))
    arms = values(runs, lambda r: r.model.momentum.arm)
    assert set(arms) == files and len(arms) == len(files)


def test_interpolations_in_a_users_own_config(store):
    Path("conf/optim").mkdir(parents=True)
    Path("conf/optim/scaled.yaml").write_text(
        "defaults: [adamw, _self_]\nweight_decay: ${model.momentum.gamma}\n"
    )
    runs = composed("optim=scaled", "model.momentum.gamma=0.5,0.25", "model.depth=1", "seed=0")
    assert {r.optim.weight_decay for r in values(runs, lambda r: r)} == {0.5, 0.25}


def test_a_users_own_sweep_and_conf_come_first(store):
    Path("sweeps").mkdir()
    Path("sweeps/demo.yaml").write_text(
        "defaults: [config, _self_]\nhydra: {sweeper: {params: {model.depth: '5,6'}}}\n"
    )
    Path("conf/budget").mkdir(parents=True)
    Path("conf/budget/small.yaml").write_text(
        "steps: 7\nbatch: 2\nevals: 2\neval_sequences: 8\nsolve_at: 0.5\n"
    )
    runs = composed()
    assert values(runs, lambda r: (r.model.depth, r.budget.steps)) == [(5, 7), (6, 7)]


def test_an_interval_is_no_grid(store):
    with pytest.raises(UserError, match="interval is no grid"):
        composed("model.width=interval(8,16)")


def union(grids: str, *overrides: str) -> list[Experiment]:
    Path("sweeps").mkdir(exist_ok=True)
    Path("sweeps/union.yaml").write_text(
        "defaults: [config, _self_]\n"
        "hydra: {sweeper: {params: {seed: 'range(0,2)', model.depth: 1}, grids: " + grids + "}}\n"
    )
    return composed(*overrides, sweep="union")


def test_a_sweep_is_the_union_of_its_grids(store):
    runs = union(
        "[{seed: 100, optim.lr: '1e-3,2e-3'},"
        " {model/momentum: low_pass, model.momentum.gamma: '-0.5,-0.25'},"
        " {model.rope_base: null, model.momentum.arm: no_positions}]"
    )
    rows = values(runs, lambda r: (r.model.momentum.arm, r.seed, r.optim.lr, r.model.rope_base))
    assert sorted(rows, key=str) == [
        ("low_pass", 0, 3e-3, 1e4), ("low_pass", 0, 3e-3, 1e4), ("low_pass", 1, 3e-3, 1e4),
        ("low_pass", 1, 3e-3, 1e4), ("no_positions", 0, 3e-3, None),
        ("no_positions", 1, 3e-3, None), ("raw", 100, 1e-3, 1e4), ("raw", 100, 2e-3, 1e4),
    ]  # fmt: skip
    again = union("[{model.momentum.gamma: '0,1'}, {model.depth: '1,2'}]", "seed=7", "optim.lr=0.1")
    assert {(r.run.seed, r.run.optim.lr) for r in again} == {(7, 0.1)}
    # γ = 0 at depth 1 is in both grids, and one run
    assert len(again) == 4 and len({r.run.run_id for r in again}) == 3


@pytest.mark.parametrize("grids", ["{seed: 1}", "[seed]", "seed"])
def test_grids_that_are_no_list_of_params_are_refused(store, grids):
    with pytest.raises(UserError, match=r"hydra\.sweeper\.grids"):
        union(grids)


def test_ten_thousand_runs_compose_quickly_and_distinctly(store):
    gammas = ",".join(str(i / 100) for i in range(100))
    seeds = "range(0,50)"
    runs = composed(f"model.momentum.gamma={gammas}", f"seed={seeds}", "model.depth=1")
    assert len({e.run.run_id for e in runs}) == 10_000
