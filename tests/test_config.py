"""A run is its config: identity, shape, and one clear line for each wrong value."""

from __future__ import annotations

import pytest

from orchestrator.config import Model, Momentum, RunConfig, run_config
from orchestrator.errors import UserError
from orchestrator.optimizers.adamw import AdamW
from orchestrator.tasks.recall import Recall

RECALL = {"_target_": "orchestrator.tasks.recall.Recall"}


def test_identity_is_the_resolved_science_alone():
    base = run_config({"task": RECALL})
    assert run_config({"task": {**RECALL, "pairs": 4}}).run_id == base.run_id  # its default
    assert run_config({"task": RECALL, "optim": {"lr": 0.003}}).run_id == base.run_id
    labelled = {"model": {"momentum": {"arm": "mine"}}}
    assert run_config({"task": RECALL, **labelled}).run_id == base.run_id
    seeded = run_config({"task": RECALL, "seed": 7})
    assert run_config({"task": RECALL, "seed_init": 7, "seed_data": 7}).run_id == seeded.run_id
    different = [
        {"seed": 1}, {"seed_init": 1}, {"seed_data": 1}, {"precision": "64-true"},
        {"model": {"momentum": {"gamma": 1}}}, {"optim": {"lr": 1}},
    ]  # fmt: skip
    ids = {run_config({"task": RECALL, **d}).run_id for d in different} | {base.run_id}
    assert len(ids) == 7


def test_a_new_component_version_is_another_run_of_the_same_config(monkeypatch):
    base = RunConfig(task=Recall())
    base_id = base.run_id
    monkeypatch.setattr("orchestrator.models.VERSION", 99)
    changed = RunConfig(task=Recall())
    assert changed.run_id != base_id and changed.config_id == base.config_id


def test_runs_that_differ_in_tensors_alone_share_a_shape():
    def shape(**changes):
        model = Model(momentum=Momentum(**changes.pop("momentum", {})))
        return RunConfig(task=Recall(), model=model, **changes).shape_id

    same = {
        shape(), shape(seed=3), shape(optim=AdamW(lr=1, weight_decay=0, clip=None)),
        shape(momentum={"gamma": 3.0, "norm": "matched"}), shape(momentum={"streams": "k"}),
        shape(momentum={"angle": 10.0}), shape(momentum={"taps": [0.0, 1.0]}),
        shape(momentum={"norm": "gain_only", "layers": "first"}),
    }  # fmt: skip
    assert len(same) == 1
    other = {
        shape(momentum={"taps": [1.0, 0.0, 0.5]}), shape(momentum={"streams": "qkv"}),
        shape(momentum={"placement": "pre_rope"}), shape(momentum={"learn": "gamma"}),
        shape(optim=AdamW(beta1=0.8)),
    }  # fmt: skip
    assert len(other) == 5 and not other & same


def test_a_config_survives_its_plain_form():
    run = RunConfig(
        task=Recall(pairs=3, queries=2),
        model=Model(depth=2, heads=2, momentum=Momentum(gamma=[[1.0, 2.0], 3.0])), seed=4,
    )  # fmt: skip
    again = run_config(run.as_dict())
    assert again == run and again.run_id == run.run_id


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"model": {"depth": 0}}, "model.depth=0: must be an integer of at least 1"),
        ({"model": {"depth": 1.5}}, "model.depth=1.5: must be an integer"),
        ({"model": {"dpeth": 1}}, "model.dpeth: no such setting (did you mean model.depth?)"),
        ({"model": {"width": 33, "heads": 2}}, "model.width=33: must be divisible by"),
        ({"model": {"head_dim": 3}}, "model.head_dim=3: must be even with rotary positions"),
        ({"model": {"momentum": {"gamma": float("nan")}}}, "model.momentum.gamma=nan: gamma must"),
        ({"model": {"momentum": {"gamma": [1.0, 2.0]}}}, "a list needs one entry a layer (1)"),
        ({"model": {"momentum": {"norm": "match"}}}, "one of raw, matched, gain_only (did you"),
        ({"model": {"momentum": {"streams": "qq"}}}, "must be letters out of q, k, v"),
        ({"model": {"momentum": {"layers": [4]}}}, "layer numbers must be in 0..0"),
        ({"model": {"momentum": {"gamma": 1, "angle": 3}}}, "gamma must be null or 0 where angle"),
        ({"optim": {"lr": -1}}, "optim.lr=-1.0: must be 0 or more"),
        ({"optim": {"lr": "fast"}}, "optim.lr=fast: must be a number"),
        ({"precision": "16"}, "precision=16: must be one of"),
        ({"seed": -1}, "seed=-1: must be an integer in 0.."),
        ({"model": 3}, "model=3: must be a group of settings"),
    ],
)
def test_wrong_values_are_one_clear_line(data, words):
    with pytest.raises(UserError) as error:
        run_config({"task": RECALL, **data})
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_task_of_ones_own_needs_no_change_of_ours(tmp_path, monkeypatch):
    (tmp_path / "mytask.py").write_text(
        "from dataclasses import dataclass\n"
        "from orchestrator.tasks.recall import Recall\n"
        "@dataclass(frozen=True)\n"
        "class Mine(Recall):\n"
        "    extra: int = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = run_config({"task": {"_target_": "mytask.Mine", "extra": 2, "pairs": 5}})
    assert run.task.extra == 2 and run.leaves()["task._target_"] == "mytask.Mine"
    with pytest.raises(UserError, match=r"task._target_=mytask.Nope: can't be imported"):
        run_config({"task": {"_target_": "mytask.Nope"}})
