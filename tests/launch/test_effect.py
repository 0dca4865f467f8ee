"""What is said has an effect, on every run: otherwise it is one line, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from orchestrator.errors import UserError
from orchestrator.identity import flatten
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.multirun import run_hydra
from orchestrator.settings import Settings

TWO = {
    "model.head_dim": "16,32", "model.width": "32,64", "model.rope_base": "100,null",
    "model.mlp_ratio": "2,4", "model.momentum.angle": "10,20", "model.momentum.taps": "[1],[2]",
    "model.momentum.kernel": "3,4", "model.momentum.streams": "q,k",
    "model.momentum.norm": "raw,matched", "model.momentum.layers": "all,first",
    "model.momentum.placement": "post_rope,pre_rope", "model.momentum.learn": "none,gamma",
    "model.momentum.learn_per": "head,layer", "optim.schedule": "cosine,constant",
    "budget.curve_sequences": "64,128", "precision": "32-true,64-true", "seed": "0,1",
    "seed_init": "1,2", "seed_data": "1,2", "task.pairs": "4,5", "task.queries": "2,4",
    "execution.compile": "on,off", "execution.native": "on,off", "execution.device": "cpu,cuda",
    "tracking.granularity": "run,pack", "tracking.name": "none,wandb", "cluster.gpus": "0,1",
    "cluster.setup": "[a],[b]", "sweep.law.form": "quadratic,cubic",
    "sweep.law.metric": "accuracy,mean_loss", "sweep.law.tuning_seeds": "[1],[2]",
    "sweep.law.window": "1,2", "sweep.objectives": "[val_loss],[flops]",
}  # fmt: skip
"""Two valid values of keys whose default doesn't suggest them."""
WITH = {"model.momentum.smoothing": ["model.momentum.kernel=8"], "cluster": ["cluster=slurm"]}
NO_EFFECT = ("arm", "cluster", "execution", "tracking", "sweep")


def composed(*words: str, file: str = "one.yaml") -> list[Experiment]:
    out: list[Experiment] = []
    run_hydra(Path(file), list(words), out.extend)
    return out


@pytest.fixture
def one(store) -> Path:
    """A sweep of one run."""
    path = Path("one.yaml")
    path.write_text("defaults: [config, _self_]\n")
    return path


def two_values(key: str, value: Any) -> str:
    if key in TWO:
        return TWO[key]
    if isinstance(value, bool):
        return "true,false"
    if isinstance(value, int | float):
        return f"{value or 0.5},{2 * (value or 0.5)}"
    return "a,b" if isinstance(value, str) else "1,2"


def leaves(e: Experiment) -> Iterator[tuple[str, Any]]:
    yield from e.run.leaves().items()
    yield from flatten(asdict(e.settings))


def test_every_leaf_makes_runs_or_is_refused(one):
    """Sweeping any leaf over two values doubles the distinct runs, or is one line that names it."""
    (plain,) = composed()
    assert len(list(leaves(plain))) > 70
    doubled, wrong = set(), []
    for key, value in leaves(plain):
        words = WITH.get(key, WITH.get(key.partition(".")[0], []))
        try:
            found = composed(f"{key}={two_values(key, value)}", *words)
        except UserError as e:
            if "\n" in str(e) or key.rpartition(".")[2] not in str(e):
                wrong.append((key, str(e)))
            continue
        if len({e.run.run_id for e in found}) == 2 and len(found) == 2:
            doubled.add(key)
        else:
            wrong.append((key, f"{len(found)} jobs"))
    assert not wrong
    assert not {k for k in doubled if k.partition(".")[0] in NO_EFFECT or k.endswith(".arm")}
    must = {k for k in TWO if k.partition(".")[0] not in NO_EFFECT}
    assert must <= doubled and {"model.depth", "optim.lr", "budget.steps", "seed"} <= doubled


WORDS = [
    (["~model"], "~model: nothing can be deleted"),
    (["~model.depth"], "~model.depth: nothing can be deleted"),
    (["hydra.sweep.dir=elsewhere"], "hydra.sweep.dir=elsewhere: has no effect here"),
    (["hydra.run.dir=elsewhere"], "hydra.run.dir=elsewhere: has no effect here"),
    (["hydra.job.name=mine"], "hydra.job.name=mine: has no effect"),
    (["+hydra.job.env_set.A=1"], "+hydra.job.env_set.A=1: has no effect"),
    (["hydra.verbose=true"], "hydra.verbose=true: has no effect"),
    (["hydra/job_logging=none"], "hydra/job_logging=none: has no effect"),
    (["hydra/launcher=joblib"], "hydra/launcher=joblib: the orchestrator launches"),
    (["hydra/launcher=basic"], "hydra/launcher=basic: the orchestrator launches"),
    (["hydra/launcher=submitit_slurm"], "hydra/launcher=submitit_slurm: the orchestrator"),
    (["model.momentum.arm=foo,bar"], "make the same run (an arm is a name"),
    (["seed=0,1", "seed_init=0", "seed_data=0"], "make the same run (seed only sets"),
    (["seed=0,0"], "stands twice in one grid"),
    (["optim.lr=1e-3,0.001"], "optim.lr=0.001: stands twice"),
    (["model/momentum=raw,raw"], "stands twice"),
    (["model.depth=1", "model.depth=2"], "model.depth: given twice"),
    (["+model.depth=1", "model.depth=2"], "model.depth: given twice"),
    (["execution.checkpoint_s=1,2"], "execution.checkpoint_s=1.0 and"),
    (["execution.width=1,2"], "execution.width"),
    (["cluster=local,slurm"], "cluster.name=local and cluster.name=slurm"),
    (["tracking=none,wandb"], "tracking.name=none and"),
    (["+sweep.objectives=[val_loss]"], "hydra/sweeper=grid optimises nothing"),
    (["hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2"], "hydra.sweeper.max_batch_size=2:"),
    (["model/momentum=rawr"], "model/momentum=rawr: no such option (did you mean raw?)"),
    (["modle/momentum=raw"], "modle/momentum: no such group (did you mean model/momentum?)"),
    (["model.momentum=raw,none"], "model.momentum: is a group of settings; choose an option of it"),
    (["model.momentum=raw"], "model.momentum: is a group of settings; choose an option of it"),
    (["model.depth=[1,2]"], "to sweep over values write model.depth=1,2"),
    (["cluster.partition=gpu"], "say cluster=slurm"),
    (["budget=5"], "budget=5: no such option; options: small"),
    (["budget=1,2"], "budget=1: no such option; options: small"),
    (["cluster=null"], "cluster=null: no such option; options: local, slurm"),
    (["task=recal"], "task=recal: no such option (did you mean recall?)"),
    (["hydra/sweeper=optunaa"], "hydra/sweeper=optunaa: no such option"),
]  # fmt: skip


@pytest.mark.parametrize("verb", ["plan", "submit"])
@pytest.mark.parametrize(("words", "said"), WORDS, ids=lambda v: " ".join(v)[:50])
def test_words_without_effect_are_one_line(one, store, capsys, verb, words, said):
    before = os.listdir()
    with pytest.raises(SystemExit) as stop:
        main([verb, "./one.yaml", *words])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and said in error and error.count("\n") == 1, error
    assert not store.exists() and os.listdir() == before


FILES = [
    ("hydra: {sweep: {dir: x}}", "hydra.sweep has no effect here"),
    ("hydra: {launcher: {n_jobs: 2}}", "hydra.launcher has no effect here"),
    ("hydra: {sweeper: {params: {model.momentum.arm: 'a,b'}}}", "make the same run"),
    ("hydra: {sweeper: {params: {'~model': null}}}", "~model"),
    ("hydra: {sweeper: {params: {model.momentum: 'raw,none'}}}", "choose an option of it by model/"),
    ("hydra: {sweeper: {params: {model.depth: [1, 2]}}}", "to sweep over values write"),
    (("hydra: {sweeper: {params: {seed: '0,1'}, grids: [{seed: 0, model.momentum.arm: a},"
     " {seed: 0, model.momentum.arm: b}]}}"), "is one run under two names"),
    (("hydra: {sweeper: {params: {seed: '0,1'}, grids: [{execution.width: 1},"
     " {execution.width: 2}]}}"), "is one run with two values of execution.width"),
    ("hydra: {sweeper: {n_trials: 3}}", "n_trials"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), FILES, ids=lambda v: v[:60])
def test_the_same_in_a_file(one, store, capsys, text, said):
    one.write_text(f"defaults: [config, _self_]\n{text}\n")
    with pytest.raises(SystemExit) as stop:
        main(["submit", "./one.yaml"])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and said in error and error.count("\n") == 1, error
    assert not store.exists()


def test_runs_of_two_grids_may_be_trained_differently(one):
    one.write_text(
        "defaults: [config, _self_]\nhydra: {sweeper: {grids: ["
        "{model.depth: 1, execution.width: 4}, {model.depth: 2, execution.width: 8}]}}\n"
    )
    assert [e.settings.execution.width for e in composed()] == [4, 8]


def test_hydras_basic_sweeper_is_our_grid(one):
    words = ["hydra/sweeper=basic", "model.depth=1,2"]
    assert [e.run.model.depth for e in composed(*words)] == [1, 2]
    assert not Path("multirun").exists()
    one.write_text(
        "defaults: [config, override hydra/sweeper: basic, _self_]\n"
        "hydra: {sweeper: {params: {model.depth: '1,2'}}}\n"
    )
    assert [e.run.model.depth for e in composed()] == [1, 2]


def test_settings_have_one_value_or_are_frozen_by_packs():
    """A new key of `execution` is refused in a grid until somebody says that packs freeze it."""
    from dataclasses import fields

    from orchestrator.launch.overrides import FROZEN
    from orchestrator.records.packs import Frozen

    own = {"lengths"}  # which follows from the runs
    assert {f.name for f in fields(Frozen)} - own | {"pack"} == set(FROZEN)
    assert set(FROZEN) <= {f.name for f in fields(type(Settings().execution))}
