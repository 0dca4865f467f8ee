"""What is measured on a slice: an evaluation row as it trains, a result for each run at the end."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.cost import tokens_per_step
from orchestrator.models.transformer import Transformer
from orchestrator.training.measures import Measures
from orchestrator.training.schedule import learning_rate_factor
from orchestrator.training.slices import SliceState, Slots
from orchestrator.training.step import Core


@dataclass(frozen=True)
class Found:
    """What a slice gets right: summed loss (W,) in nats and right answers (W,) of `total` tokens."""

    loss: Tensor
    correct: Tensor
    total: int
    measured: dict[str, list[float]]
    """Of each measure, by name (W,)."""


def evaluated(
    evaluate: Callable, measures: Measures, state: SliceState, taps: Tensor, batches: list, few: int
) -> Found:
    """Evaluate a slice on the first `few` of the batches, and measure it."""
    loss = torch.zeros_like(state.loss_sum)
    correct = torch.zeros(len(loss), dtype=torch.int64, device=loss.device)
    measured = measures(state.params, taps, batches)
    for tokens, targets in batches[:few]:
        batch_loss, batch_correct = evaluate(state.params, taps, tokens, targets)
        loss += batch_loss
        correct += batch_correct
    return Found(loss, correct, sum(t.numel() for _, t in batches[:few]), measured)


def evaluation_row(
    core: Core, state: SliceState, length: int, found: Found, norm: Tensor, runs: list[RunConfig],
    slots: Slots,
) -> dict[str, Any]:  # fmt: skip
    """One row of curves.jsonl of one length: lists over the slice's members, padding left out.

    Losses in nats a scored token; train_loss is the mean since the row before; wall_s the slice's
    seconds so far. A learned filter's values stand under `gamma` or `taps`, one nested list
    (layers, heads[, lags]) a member; the measures' by name under `measures`.
    """
    n = len(slots.members)
    run = runs[slots.first]
    factor = learning_rate_factor(state.step, run.budget.steps, run.optim)
    correct_list = found.correct[:n].tolist()
    since = state.step - state.evaluated(length)
    return {
        "first": slots.first,
        "step": state.step,
        "tokens": state.step * tokens_per_step(run),
        "val_loss": (found.loss[:n] / found.total).tolist(),
        "accuracy": [c / found.total for c in correct_list],
        "eval_correct": correct_list,
        "eval_total": found.total,
        "train_loss": (state.loss_since[length, :n] / since).tolist(),
        "grad_norm": norm[:n].tolist(),
        "lr": [runs[i].optim.lr * factor for i in slots.members],
        "wall_s": state.wall_s,
        **learned(core, state.params[:n]),
        "measures": {k: v[:n] for k, v in found.measured.items()},
    }


def learned(core: Core, params_NP: Tensor) -> dict[str, Any]:
    """{"gamma" or "taps": one nested list a run} of a learned filter; else nothing."""
    if not isinstance(core.module, Transformer) or "momentum" not in core.sizes:
        return {}
    return {core.module.learn: [core.unflatten(p)["momentum"].tolist() for p in params_NP]}


def result_rows(
    state: SliceState, length: int, runs: list[RunConfig], slots: Slots
) -> list[dict[str, Any]]:
    """The result of each member, from its evaluations.

    A run whose training or final loss is not finite has diverged: an outcome. wall_s is the
    run's share of its slice's time.
    """
    rows, means = state.rows[length], state.loss_sum.tolist()
    last = rows[-1]
    out = []
    for i, member in enumerate(slots.members):
        run = runs[member]
        finite = math.isfinite(means[i]) and math.isfinite(last["val_loss"][i])
        solved = [r["step"] for r in rows if r["accuracy"][i] >= run.budget.solve_at]
        out.append({
            "run_id": run.run_id,
            "status": "completed" if finite else "diverged",
            "val_loss": last["val_loss"][i],
            "accuracy": last["accuracy"][i],
            "eval_correct": last["eval_correct"][i],
            "eval_total": last["eval_total"],
            "mean_loss": means[i] / run.budget.steps,
            "steps_to_solve": solved[0] if solved else None,
            "steps": state.step,
            "tokens": last["tokens"],
            "wall_s": state.wall_s / len(slots.members),
            **{k: v[i] for k, v in last["measures"].items()},
            **{f"learned_{k}": json.dumps(last[k][i]) for k in ("gamma", "taps") if k in last},
        })  # fmt: skip
    return out
