"""Families of shapes whose step and evaluation are lowered, and their arguments."""

from __future__ import annotations

import dataclasses

import torch

from orchestrator.bench.paper.functions import Called, cast
from orchestrator.bench.paper.functions import functions as without_values
from orchestrator.config import RunConfig, run_config
from orchestrator.training.data import training_batches
from orchestrator.training.slices import slots_of, start
from orchestrator.training.step import Core, over_runs

LONG = {
    "task": {"pairs": 256, "queries": 256, "keys": 256, "values": 256}, "batch": 2, "width": 2,
}  # fmt: skip
"""T = 1,023: attention is fused."""

FAMILIES: dict[str, dict] = {
    "raw": {},
    "deep_mlp": {"model": {"depth": 2, "mlp_ratio": 4.0}},
    "learned_gamma": {"model": {"momentum": {"gamma": 0.3, "learn": "gamma"}}},
    "learned_taps": {"model": {"momentum": {"gamma": 0.3, "learn": "taps"}}},
    "values_smoothed": {
        "model": {"momentum": {"gamma": 0.3, "streams": "qkv", "kernel": 4, "smoothing": 0.5}}
    },
    "pre_rope": {"model": {"momentum": {"gamma": 0.3, "placement": "pre_rope"}}},
    "bf16": {"precision": "bf16-mixed"},
    "long": LONG,
    "long_bf16": {**LONG, "precision": "bf16-mixed"},
    "wide": {"model": {"width": 256, "heads": 4}, "batch": 16, "width": 2},
}
"""T is 15, the width 64, the batch 64 and the slice 16 runs unless a family says otherwise."""


def run_of(family: str, small: bool) -> RunConfig:
    """A run of the family; `small`: of a size that an interpreter can run."""
    wanted = FAMILIES[family]
    model = {"width": 64, "heads": 2, "momentum": {"gamma": 0.4}, **wanted.get("model", {})}
    task = {"pairs": 4, "queries": 4, "keys": 8, "values": 8, **wanted.get("task", {})}
    batch = wanted.get("batch", 64)
    if small:
        model["width"], batch = 16, 3
        task.update(pairs=3, queries=3, keys=8, values=8)
    return run_config({
        "task": {"_target_": "orchestrator.tasks.recall.Recall", **task}, "model": model,
        "budget": {"batch": batch}, "precision": wanted.get("precision", "32-true"),
    })  # fmt: skip


def width_of(family: str) -> int:
    """Runs of a slice."""
    return FAMILIES[family].get("width", 16)


def functions(family: str) -> dict[str, Called]:
    """{step, evaluate} of a family, with arguments that have no values."""
    return without_values(run_of(family, small=False), width_of(family))


def small_functions(
    family: str, device: str = "cpu", precision: str | None = None
) -> dict[str, Called]:
    """The same at a small size, with values; `precision`: another than the family's."""
    run, width = run_of(family, small=True), 2
    run = dataclasses.replace(run, precision=precision or run.precision)
    core = Core(run, torch.device(device))
    runs = [dataclasses.replace(run, seed=i, seed_init=i, seed_data=i % 2) for i in range(width)]
    state, tensors = start(core, runs, slots_of(width, width)[0])
    tokens, targets = training_batches(run, torch.arange(2), torch.ones(1, dtype=torch.int64))
    step, evaluate = over_runs(core)
    one = torch.ones((), dtype=core.dtype)
    args = (
        state.params, tensors.taps, tensors.clip, torch.arange(width) % 2,
        *tensors.hyper.values(), *state.optim.values(), tokens[0], targets[0], one, one,
    )  # fmt: skip
    seen = (state.params, tensors.taps, tokens[0, 0], targets[0, 0])
    return {"step": (cast(step, run), args), "evaluate": (cast(evaluate, run), seen)}
