"""Budgets as people say them, in tokens, tokens a parameter or FLOPs, as the steps that they are.

Guarantee: one training has one budget, however it was said, so that it is one run.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from orchestrator.coerce import plain
from orchestrator.config import LENGTHS, Budget, RunConfig
from orchestrator.cost import parameters, step_flops, tokens_per_step
from orchestrator.errors import UserError


def resolved(run: RunConfig) -> Budget:
    """A run's budget in steps alone.

    The length is the nearest whole number of steps (half a step counts as one more). Points of
    evaluation are in order, before the end and at most one a step. Raises: UserError where the length
    is less than a step.
    """
    budget = run.budget
    plain_budget = replace(budget, eval_steps=None, eval_tokens=None, **dict.fromkeys(LENGTHS))
    priced = replace(run, budget=plain_budget)  # what its model costs does not depend on the length
    steps, points = _steps(budget, priced), budget.eval_steps
    if budget.eval_tokens is not None:
        points = [-(-tokens // tokens_per_step(priced)) for tokens in budget.eval_tokens]
    out = replace(plain_budget, steps=steps)
    if points is None:
        return out
    # evals and spacing, in whose place the points are, are not what makes it another run
    points = sorted({p for p in points if p < steps})
    return replace(out, eval_steps=points, evals=Budget.evals, spacing=Budget.spacing)


def _steps(budget: Budget, run: RunConfig) -> int:
    name = next((k for k in LENGTHS if getattr(budget, k) is not None), None)
    if name is None:
        return budget.steps
    value = getattr(budget, name)
    one = step_flops(run) if name == "flops" else tokens_per_step(run)
    asked = Fraction(value) * (parameters(run) if name == "tokens_per_parameter" else 1)
    steps = int(asked / one + Fraction(1, 2))
    if steps < 1:
        what = "FLOPs" if name == "flops" else "tokens"
        raise UserError(
            f"budget.{name}={plain(value)}: is less than one step, which takes {one} {what}"
        )
    return steps
