"""Runs that differ in length alone share their beginning: how much of it, and in what order they train.

Runs of one trunk (`RunConfig.trunk_id`) are equal in all but their length, the course of their rate
and when they are evaluated. Two of them take the same steps for as long as their rates agree: warm-up
and constant rate, until the first of them cools down (Hägele et al. 2024, arXiv 2405.18392). Kept in
order, a set of them takes as many steps as its courses have distinct beginnings; no fewer would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from orchestrator.config import RunConfig
from orchestrator.optimizers import Optim
from orchestrator.training.schedule import cooldown_steps, evaluation_steps, learning_rate_factor

_Key = tuple[int, int, Any, float, float]


def _key(run: RunConfig) -> _Key:
    o = run.optim
    return run.budget.steps, o.warmup, o.schedule, o.decay_fraction, o.final


@lru_cache(maxsize=256)
def _course(key: _Key) -> tuple[float, ...]:
    steps, warmup, schedule, decay_fraction, final = key
    optim = Optim(warmup=warmup, schedule=schedule, decay_fraction=decay_fraction, final=final)
    return tuple(learning_rate_factor(n, steps, optim) for n in range(1, steps + 1))


@lru_cache(maxsize=2**16)
def _shared(one: _Key, other: _Key) -> int:
    a, b = _course(one), _course(other)
    least = min(len(a), len(b))
    return next((i for i in range(least) if a[i] != b[i]), least)


def length_of(run: RunConfig) -> tuple:
    """All that tells runs of one trunk apart."""
    b, points = run.budget, run.budget.eval_steps
    return *_key(run), b.evals, b.spacing, points and tuple(points), b.solve_at


def shared(one: RunConfig, other: RunConfig) -> int:
    """How many steps two runs of one trunk have in common, from the first on."""
    return _shared(_key(one), _key(other))


def stable_end(run: RunConfig) -> int:
    """The last step of its stable phase, which any longer run of its schedule takes too; 0: it has none."""
    o, steps = run.optim, run.budget.steps
    if o.schedule == "cosine":
        return 0
    if decay := cooldown_steps(steps, o):
        return max(0, steps - decay)
    before = [
        step for step in evaluation_steps(run.budget) if step < steps
    ]  # the last is of its own
    return before[-1] if before else 0


def same_evaluations(one: RunConfig, other: RunConfig, until: int) -> bool:
    """Whether two runs are evaluated at the same steps up to one."""
    a, b = ([s for s in evaluation_steps(r.budget) if s <= until] for r in (one, other))
    return a == b


def in_order(runs: Sequence[RunConfig]) -> list[int]:
    """Places of runs of one trunk in the order in which they share most: what two of them share, all
    between them share too."""
    return sorted(range(len(runs)), key=lambda i: _course(_key(runs[i])))


def steps_to_train(runs: Sequence[RunConfig]) -> int:
    """Steps that runs of one trunk, `in_order`, take together."""
    alone = sum(run.budget.steps for run in runs)
    return alone - sum(shared(a, b) for a, b in pairwise(runs))
