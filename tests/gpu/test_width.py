"""The plan's model of a run's memory against the tensors of the traced step that live at once."""

from __future__ import annotations

import random

import pytest

from orchestrator.bench.paper.functions import functions
from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.launch.width import memory_bytes
from orchestrator.tasks.recall import Recall
from tests.gpu.live import live_bytes


def shape(seed: int) -> RunConfig:
    draw = random.Random(seed)
    width, pairs = draw.choice([16, 32, 64, 128]), draw.choice([2, 4, 8, 16, 32])
    return RunConfig(
        Recall(pairs, pairs, max(16, pairs)),
        Model(
            depth=draw.randint(1, 6), width=width, heads=draw.choice([1, 2, 4]),
            head_dim=draw.choice([None, 8, 32]), mlp_ratio=draw.choice([0.0, 2.0, 4.0]),
            momentum=Momentum(gamma=0.4, norm=draw.choice(["raw", "matched"])),
        ),
        budget=Budget(batch=draw.choice([8, 32, 64])), precision=draw.choice(["32-true", "bf16-mixed"]),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_memory_is_that_of_the_traced_step(seed):
    """A run more in the slice, from two to four: within a quarter either way."""
    run = shape(seed)
    two, four = (live_bytes(*functions(run, width)["step"]) for width in (2, 4))
    assert memory_bytes(run) == pytest.approx((four - two) / 2, rel=0.25)
