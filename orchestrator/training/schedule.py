"""When things happen: the learning rate's course and the steps of evaluation. No torch."""

from __future__ import annotations

import math

from orchestrator.config import Budget
from orchestrator.errors import UserError
from orchestrator.optimizers import Optim


def learning_rate_factor(step: int, steps: int, optim: Optim) -> float:
    """Learning rate over its peak at optimiser step 1..steps."""
    if step <= optim.warmup:
        return step / optim.warmup
    if optim.schedule == "constant":
        return 1.0
    if optim.schedule == "cosine":
        start = min(optim.warmup, steps)
        done = (step - start) / max(1, steps - start)
        return optim.final + (1 - optim.final) * (1 + math.cos(math.pi * done)) / 2
    decay, left = cooldown_steps(steps, optim), steps - step
    return 1.0 if left >= decay else optim.final + (1 - optim.final) * left / decay


def cooldown_steps(steps: int, optim: Optim) -> int:
    """Steps at the end over which a constant rate decays; 0 under other schedules."""
    return round(steps * optim.decay_fraction) if optim.schedule == "constant_decay" else 0


def require_apart(budget: Budget, optim: Optim) -> None:
    """Raises: UserError where the cooldown begins before the warm-up has ended."""
    decay = cooldown_steps(budget.steps, optim)
    if optim.schedule == "constant_decay" and optim.warmup + decay > budget.steps:
        raise UserError(
            f"optim.warmup={optim.warmup}: with a cooldown of {decay} steps there are more than "
            f"budget.steps={budget.steps}; shorten one of them (optim.warmup, optim.decay_fraction)"
        )


def evaluation_steps(budget: Budget) -> list[int]:
    """The distinct steps at which a run is evaluated, in order, the last one `steps`."""
    if budget.eval_steps is not None:
        return [*budget.eval_steps, budget.steps]
    n = budget.evals
    if budget.spacing == "linear":
        return sorted({max(1, round(budget.steps * i / n)) for i in range(1, n + 1)})
    first = max(1.0, budget.steps / 50)
    if n == 1:
        return [budget.steps]
    ratio = budget.steps / first
    return sorted({round(first * ratio ** (i / (n - 1))) for i in range(n)} | {budget.steps})
