"""Runs of one shape, and their training for a few steps in slices of any width, by any of the ways."""

from __future__ import annotations

import torch

from orchestrator.config import RunConfig, run_config
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import training_batches
from orchestrator.training.native import Native
from orchestrator.training.slices import slots_of, start, stepwise
from orchestrator.training.step import Core, over_runs

CPU = torch.device("cpu")
STEPS = 5


def runs_of(n: int, precision: str = "32-true", **model) -> list[RunConfig]:
    task = {"_target_": "orchestrator.tasks.recall.Recall", "pairs": 3, "queries": 3}
    model = {"depth": 2, "width": 16, "heads": 2, **model}
    return [
        run_config({
            "task": task, "seed": i, "precision": precision, "budget": {"steps": STEPS, "batch": 8},
            "model": {"momentum": {"gamma": 0.5 * i}, **model},
        })
        for i in range(n)
    ]  # fmt: skip


def train(runs: list[RunConfig], width: int, how: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean losses (runs,), parameters (runs, P) after STEPS, trained in slices of `width`."""
    losses, params = [], []
    core = Core(runs[0], CPU)
    step = over_runs(core)[0]
    advance = Native(runs[0]).advance if how == "native" else stepwise(
        Compiled(step) if how == "compiled" else step)  # fmt: skip
    seeds = torch.tensor([r.seed_data for r in runs])
    number = torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(runs[0], seeds, number)
    for slots in slots_of(len(runs), width):
        state, t = start(core, runs, slots)
        seen, factor = torch.tensor(slots.padded), torch.ones(STEPS, dtype=core.dtype)
        norm = advance(state, t, tokens, targets, seen, number.to(core.dtype), factor)
        assert norm.isfinite().all()
        losses.append(state.loss_sum[: len(slots.members)] / STEPS)
        params.append(state.params[: len(slots.members)])
    return torch.cat(losses), torch.cat(params)
