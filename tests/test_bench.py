"""`orchestrator bench`: the parts of a whole pack's time add up, and it leaves nothing behind."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from orchestrator.bench.harness import harness
from orchestrator.bench.limit import least_flops, limit, peak_flops
from orchestrator.config import Budget, Model, RunConfig
from orchestrator.cost import step_flops
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


@pytest.mark.parametrize("model", [
    {"depth": 2, "width": 16, "heads": 2, "mlp_ratio": 2.0}, {"width": 15, "head_dim": 6}, {"width": 7, "head_dim": 2},
])  # fmt: skip
@pytest.mark.parametrize("batch", [1, 8])
def test_the_least_flops_are_the_tables_but_for_attention_to_the_future(model, batch):
    run = RunConfig(
        Recall(pairs=2, queries=2, keys=6, values=6), Model(**model), budget=Budget(batch=batch)
    )
    m, T = run.model, run.task.length
    future = 6 * m.depth * batch * m.heads * 2 * m.size_of_head * T * (T - 1) / 2
    assert least_flops(run) == step_flops(run) - future


def test_the_limit_is_the_larger_of_products_at_the_peak_and_bytes():
    run = RunConfig(Recall(), Model(width=16), budget=Budget(batch=4))
    found = limit(run, 4, torch.device("cpu"))
    assert found["limit_s"] == max(found["flops_s"], found["state_s"]) > 0
    assert found["flops_s"] == least_flops(run) / found["peak_flops"]
    assert found["bytes_per_s"] > 1e8 and found["products_s"] > 0
    said = "this core's multiply-adds" if compiler() else "torch's products of 1024 x 1024"
    assert found["peak_is"] == said
    assert peak_flops(torch.device("cpu"), "64-true")[1] == "torch's products of 1024 x 1024"
