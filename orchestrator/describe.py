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

    `arm`, `seed`: as the sweep calls them. Lists are JSON, so that a column has one type.
    """
    leaves = {k: _cell(v) for k, v in run.leaves().items()}
    leaves["model.momentum.arm"], leaves["seed"] = arm, seed
    m = run.model
    return {
        "run_id": run.run_id, "arm": arm, "task": run.task.name,
        "depth": m.depth, "width": m.width, "heads": m.heads, "head_dim": m.size_of_head,
        "gamma": m.momentum.scalar_gamma, "lr": run.optim.lr, "batch": run.budget.batch,
        "tokens_per_step": tokens_per_step(run), "seed": seed, "seed_init": run.seed_init,
        "seed_data": run.seed_data, "params": parameters(run),
        "params_non_embedding": non_embedding_parameters(run), "flops": train_flops(run),
        "chance": run.task.chance, "chance_loss": run.task.chance_loss, **leaves,
    }  # fmt: skip


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value
