"""`orchestrator bench`: the parts of a whole pack's time add up, and it leaves nothing behind."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.bench.harness import harness
from orchestrator.config import Budget, Model, RunConfig
from orchestrator.models.native.build import compiler
from orchestrator.records.packs import Frozen
from orchestrator.settings import Execution
from orchestrator.tasks.recall import Recall


@pytest.mark.parametrize("native", [False, True])
def test_steps_and_evaluations_are_parts_of_the_whole(store, native):
    if native and compiler() is None:
        pytest.skip("no C++ compiler here")
    run = RunConfig(
        task=Recall(pairs=2, queries=2, keys=6, values=6), model=Model(width=16),
        budget=Budget(steps=20, batch=8, evals=3, eval_sequences=32),
    )  # fmt: skip
    frozen = Frozen(compile=False, native=native, threads=1, width=1)
    few = harness(run, Execution(device="cpu"), frozen, step_s=0.2)
    assert few["runs"] == 2 and 0 < few["evaluation_s"] and 0 < few["step_s"]
    assert few["step_s"] + few["evaluation_s"] < few["total_s"]
    rarely = dataclasses.replace(run, budget=dataclasses.replace(run.budget, evals=1))
    once = harness(rarely, Execution(device="cpu"), frozen, step_s=0.2)
    assert once["evaluation_s"] < few["evaluation_s"]
    assert not store.exists()
