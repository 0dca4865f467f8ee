"""Optimiser settings as people say them, as the numbers that they are: functions of a run's size, warm-up
in tokens, a cooldown in steps, a weight decay whatever the rate.

Guarantee: one training has one set of numbers, however they were said, so that it is one run. An expression
is arithmetic over the names and functions below and nothing else; no code is run.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from orchestrator.coerce import plain, require
from orchestrator.config import RunConfig
from orchestrator.cost import parameters, tokens_per_step
from orchestrator.errors import UserError, near
from orchestrator.optimizers.base import Optim

SIZES: dict[str, Callable[[RunConfig], float | None]] = {
    "depth": lambda run: run.size("depth"),
    "width": lambda run: run.size("width"),
    "heads": lambda run: run.size("heads"),
    "head_dim": lambda run: run.size("head_dim"),
    "batch": lambda run: run.budget.batch,
    "steps": lambda run: run.budget.steps,
    "tokens": lambda run: run.budget.steps * tokens_per_step(run),
    "parameters": parameters,
}
"""What an expression may name; tokens are those of the whole training, parameters all that are trained."""
FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "log": math.log, "log2": math.log2, "exp": math.exp,
    "min": min, "max": max, "round": round,
}  # fmt: skip
DIGITS = 12
"""Significant digits of what is computed here."""
_ARITHMETIC = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: math.pow,
}  # fmt: skip
_SIGNS = {ast.UAdd: operator.pos, ast.USub: operator.neg}


def evaluated(text: str, run: RunConfig, key: str) -> float:
    """The number that an expression is for a run of this size. Raises: UserError."""
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body, run)
    except UserError as e:
        raise UserError(f"{key}={text}: {e}") from None
    except (SyntaxError, ValueError, ArithmeticError, TypeError, RecursionError, MemoryError) as e:
        unread = isinstance(e, SyntaxError | RecursionError | MemoryError)
        why = (
            "must be a number, or arithmetic over a run's size" if unread else f"is no number: {e}"
        )
        raise UserError(f"{key}={text}: {why}") from None
    require(math.isfinite(value), key, text, "is no finite number at this size")
    return _rounded(value)


def _rounded(value: float) -> float:
    """To DIGITS, so that 0.1 * 3 and 0.3 are one number and with it one run."""
    return float(f"{value:.{DIGITS}g}")


def _value(node: ast.expr, run: RunConfig) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)
    if isinstance(node, ast.Name):
        if node.id not in SIZES:
            raise UserError(
                f"must be a number, or one of a run's size: no such name as {node.id}"
                f"{near(node.id, list(SIZES))} (there are: {', '.join(SIZES)})"
            )
        value = SIZES[node.id](run)
        if value is None:
            raise UserError(f"this model has no {node.id}")
        return float(value)
    if isinstance(node, ast.UnaryOp) and type(node.op) in _SIGNS:
        return _SIGNS[type(node.op)](_value(node.operand, run))
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _ARITHMETIC[type(node.op)](_value(node.left, run), _value(node.right, run))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise UserError(f"no such function as {node.func.id} (there are: {known})")
        return float(FUNCTIONS[node.func.id](*(_value(arg, run) for arg in node.args)))
    raise UserError("only numbers, + - * / **, names of a run's size and functions are allowed")


def resolved(run: RunConfig) -> Optim:
    """A run's optimiser with none of its settings said in another way. Raises: UserError."""
    optim, changes = run.optim, dict[str, Any]()
    if optim.decay_steps is not None:
        steps = run.budget.steps
        require(
            optim.decay_steps <= steps, "optim.decay_steps", optim.decay_steps,
            f"must be at most budget.steps={steps}",
        )  # fmt: skip
        changes |= {"decay_fraction": optim.decay_steps / steps, "decay_steps": None}
    if optim.warmup_tokens is not None:
        nearest = int(Fraction(optim.warmup_tokens, tokens_per_step(run)) + Fraction(1, 2))
        changes |= {"warmup": nearest, "warmup_tokens": None}
    decay = optim.independent_weight_decay
    if decay is not None:
        require(
            optim.lr > 0 or decay == 0, "optim.independent_weight_decay", plain(decay),
            "must be 0 where optim.lr is",
        )  # fmt: skip
        changes |= {
            "weight_decay": _rounded(decay / optim.lr) if decay else 0.0,
            "independent_weight_decay": None,
        }
    return dataclasses.replace(optim, **changes) if changes else optim
