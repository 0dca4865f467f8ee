"""Batches on the device, many steps at a time; runs that share seed_data share them."""

from __future__ import annotations

import torch
from torch import Tensor

from orchestrator.config import RunConfig

EVALUATION_SEED = 2**31
"""No run's seed_data can be it."""


def training_batches(run: RunConfig, seeds_U: Tensor, steps_C: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (C, U, B, T) and targets (C, U, B, Q) of steps C for each distinct seed U."""

    def one(seed: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        return run.task.batch(seed, step, run.budget.batch)

    over_seeds = torch.vmap(one, in_dims=(0, None))
    return torch.vmap(over_seeds, in_dims=(None, 0))(seeds_U, steps_C)


def evaluation_batches(run: RunConfig, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """The task's fixed evaluation set, in batches of one size, at most 256 sequences."""
    total = run.budget.eval_sequences
    seed = torch.tensor(EVALUATION_SEED, device=device)
    tokens, targets = run.task.batch(seed, torch.zeros_like(seed), total)
    size = _batch_size(run)
    return list(zip(tokens.split(size), targets.split(size), strict=True))


def curve_batches(run: RunConfig) -> int:
    """How many of these batches the evaluations before the last see."""
    return (run.budget.curve_sequences or run.budget.eval_sequences) // _batch_size(run)


def _batch_size(run: RunConfig) -> int:
    """Largest divisor up to 256 of what any evaluation sees, so that all batches have one shape."""
    common = run.budget.curve_sequences or run.budget.eval_sequences  # a divisor of the whole set
    return max(d for d in range(1, 257) if common % d == 0)
