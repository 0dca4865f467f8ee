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
    """The task's fixed evaluation set, in batches of at most 256 sequences."""
    total = run.budget.eval_sequences
    seed = torch.tensor(EVALUATION_SEED, device=device)
    tokens, targets = run.task.batch(seed, torch.zeros_like(seed), total)
    size = total if total <= 256 else 256 if total % 256 == 0 else _divisor(total)
    return list(zip(tokens.split(size), targets.split(size), strict=True))


def _divisor(total: int) -> int:
    """Largest divisor of `total` up to 256, so that all batches have one shape."""
    return max(d for d in range(1, 257) if total % d == 0)
