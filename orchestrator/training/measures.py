"""A shape's measures over a slice: the named scalars of every run at an evaluation.

They look at the runs' parameters and change nothing: a run trains to the same bits with and
without. Plain operations of torch, on SEQUENCES alone: a forward pass of these over the whole
evaluation set would cost a run that our C++ trains a fifth of its time (docs/notebook.md,
"Measures").
"""

from __future__ import annotations

import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.measures.forward import Forward
from orchestrator.parts.measure import function_of, parts_of
from orchestrator.training.memory import InParts
from orchestrator.training.step import EVALUATE_SHARED, Core

SEQUENCES = 32
"""Evaluation sequences that measures see, at most."""


class Measures:
    """All measures of a run's config, over one forward pass."""

    def __init__(self, core: Core, run: RunConfig) -> None:
        self.core, self.functions = core, [function_of(part) for part in parts_of(run)]
        self.names: list[str] = []
        """What they measure, known once they were called."""
        over_runs = torch.vmap(self._of_run, in_dims=(0, 0, None, None))
        self.over_runs = InParts(lambda: lambda *args: (over_runs(*args),), EVALUATE_SHARED)

    @torch.no_grad()
    def __call__(
        self, params: Tensor, taps: Tensor, batches: list[tuple[Tensor, Tensor]]
    ) -> dict[str, list[float]]:
        """{name: value of each run (W,)} on the first SEQUENCES of the evaluation set."""
        if not self.functions:
            return {}
        batch = [torch.cat(x)[:SEQUENCES] for x in zip(*batches, strict=True)]
        (values_WM,) = self.over_runs(params, taps, *batch)
        return dict(zip(self.names, values_WM.T.tolist(), strict=True))

    def _of_run(self, *args: Tensor) -> Tensor:
        """One run's on one batch (M,)."""
        forward = forward_of(self.core, *args)
        found = {name: x for f in self.functions for name, x in f(forward).items()}
        self.names = list(found)
        return torch.stack([x.to(self.core.dtype) for x in found.values()])


def forward_of(
    core: Core, params_P: Tensor, taps: Tensor, tokens_BT: Tensor, targets_BQ: Tensor
) -> Forward:
    """What measures look at, of one run and one batch."""
    params, trace = core.unflatten(params_P), []
    logits = core.logits(params, taps, tokens_BT, trace)
    return Forward(params, taps, tokens_BT, targets_BQ, logits, trace)
