"""What is known of a run before it is trained, as flat columns: of tables, and of W&B's configs."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.config import RunConfig
from orchestrator.cost import (
    non_embedding_parameters,
    parameters,
    tokens_per_step,
    train_flops,
)


def describe(run: RunConfig, arm: str, seed: int) -> dict[str, Any]:
    """The names people sort by, then every leaf of the resolved config ("model.depth", ...).

    `arm`, `seed`: as the sweep calls them. Lists are JSON, so that a column has one type. None where
    a user's model has no such size, or an older record says nothing of a user's part.
    """
    leaves = {k: _cell(v) for k, v in run.leaves().items()}
    leaves["seed"] = seed
    if run.model.momentum is not None:
        leaves["model.momentum.arm"] = arm
    priced = (tokens_per_step, parameters, non_embedding_parameters, train_flops)
    tokens, params, inner, flops = (f(run) if _countable(run) else None for f in priced)
    return {
        "run_id": run.run_id, "trunk": None if run.optim.schedule == "cosine" else run.trunk_id, "arm": arm, "task": run.task.name,
        **{name: run.size(name) for name in ("depth", "width", "heads", "head_dim")},
        "gamma": run.gamma, "optimizer": type(run.optim).__name__, "lr": run.optim.lr, "batch": run.budget.batch,
        "tokens_per_step": tokens, "seed": seed, "seed_init": run.seed_init,
        "seed_data": run.seed_data, "params": params,
        "params_non_embedding": inner, "flops": flops,
        "chance": run.task.chance, "chance_loss": run.task.chance_loss, **leaves,
    }  # fmt: skip


def _countable(run: RunConfig) -> bool:
    """Whether a run says enough to be counted: packs frozen before they kept it do not."""
    return run.task.vocab is not None


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value
