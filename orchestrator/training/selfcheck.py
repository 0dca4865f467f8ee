"""Our C++ against torch's operations on this machine: equal losses over a few steps of small shapes.

`python -m orchestrator.training.selfcheck` builds the library where it was not, checks it once, writes
down beside it what came of it, and prints why it can't be used (exit status 1) where it can't be.
"""

from __future__ import annotations

import dataclasses
import sys

import torch
from torch import Tensor

from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.models.native.build import Unbuilt, checked, library, remember, standing
from orchestrator.models.native.trial import failed
from orchestrator.optimizers.adamw import AdamW
from orchestrator.tasks.recall import Recall
from orchestrator.training.data import training_batches
from orchestrator.training.native import Native
from orchestrator.training.slices import slots_of, start, stepwise
from orchestrator.training.step import Core, over_runs

STEPS = 5
TOLERANCE = 2e-5
"""Largest relative difference of losses over STEPS, against float64. AdamW divides by the root of its
second moment: where that is near 0, rounding moves a parameter by up to the learning rate."""

_TASK = Recall(pairs=3, queries=3)
_OPTIM = AdamW(
    eps=1e-3
)  # the sound arithmetic of any processor is far within the tolerance with it
SHAPES = (
    Model(depth=2, width=32, heads=1, mlp_ratio=4.0, momentum=Momentum(gamma=0.5)),
    Model(depth=1, width=20, heads=2, head_dim=20, mlp_ratio=1.7, tied_head=True,
          momentum=Momentum(gamma=0.4, kernel=3, smoothing=0.5)),
    Model(depth=2, width=16, heads=2, head_dim=3, rope_base=None, momentum=Momentum(gamma=1.0)),
)  # fmt: skip
"""Whole vectors and remainders, one pass of each loop and several, every kind of layer."""


def losses(run: RunConfig, ours: bool) -> Tensor:
    """Mean loss over STEPS and, after them, of the last batch, (2,) float64."""
    core = Core(run, torch.device("cpu"))
    step, evaluate = over_runs(core)
    advance = stepwise(step)
    if ours:
        native = Native(run)
        advance, evaluate = native.advance, native.evaluate
    (slots,) = slots_of(1, 1)
    state, tensors = start(core, [run], slots)
    number = torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(run, torch.tensor([run.seed_data]), number)
    seen, factor = torch.zeros(1, dtype=torch.int64), torch.ones(STEPS, dtype=core.dtype)
    advance(state, tensors, tokens, targets, seen, number.to(core.dtype), factor)
    loss, _ = evaluate(state.params, tensors.taps, tokens[-1, 0], targets[-1, 0])
    return torch.cat((state.loss_sum / STEPS, loss.double() / targets[-1].numel()))


def differs() -> str | None:
    """How our C++ fails to find torch's losses here; None where it finds them."""
    for model in SHAPES:
        run = RunConfig(_TASK, model, _OPTIM, Budget(steps=STEPS, batch=8))
        exact = losses(dataclasses.replace(run, precision="64-true"), ours=False)
        error = ((losses(run, ours=True) - exact).abs() / exact).max().item()
        if not error <= TOLERANCE:
            return f"losses differ from torch's by {error:.1e}, {TOLERANCE:.0e} is allowed"
    return None


def main() -> None:
    torch.set_num_threads(1)
    try:
        library()
        record = standing()
        if checked(record):
            found = record["differs"]
        else:
            found = differs()
            remember(found)
    except Unbuilt as e:
        print(e)
        sys.exit(1)
    if found:
        print(failed(found))
        sys.exit(1)


if __name__ == "__main__":
    main()
