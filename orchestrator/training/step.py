"""The training step and the evaluation of one run, as pure functions.

Everything that may differ between the runs of a pack is a tensor argument; `vmap` over them is a
pack's step, and no run can touch another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad_and_value

from orchestrator.config import RunConfig
from orchestrator.models.module import initial_of, logits_of, module_of, taps_of
from orchestrator.training.optimizer import adamw, clip_factor

DTYPES = {"32-true": torch.float32, "bf16-mixed": torch.float32, "64-true": torch.float64}
"""Of parameters and optimiser state, by Lightning's name of the precision."""


@dataclass(frozen=True)
class RunTensors:
    """What one run brings into the step: parameters (P,), taps (L, S, H, K) and scalars."""

    params: Tensor
    taps: Tensor
    lr: Tensor
    weight_decay: Tensor
    clip: Tensor


class Core:
    """The functions of one shape: `init`, `step` and `evaluate`, each for one run."""

    def __init__(self, run: RunConfig, device: torch.device) -> None:
        self.dtype = DTYPES[run.precision]
        self.module = module_of(run).to(device, self.dtype)
        self.scored = run.task.scored
        self.sizes = {n: p.shape for n, p in self.module.named_parameters()}
        self.optim = run.optim
        self.device = device

    def init(self, run: RunConfig) -> RunTensors:
        """One run's initial tensors, on the CPU, in the parameters' type."""
        values = initial_of(self.module, run)
        clip = float("inf") if run.optim.clip is None else run.optim.clip

        def scalar(x: float) -> Tensor:
            return torch.tensor(x, dtype=self.dtype)

        return RunTensors(
            torch.cat([values[n].flatten() for n in self.sizes]).to(self.dtype),
            taps_of(run).to(self.dtype),
            scalar(run.optim.lr), scalar(run.optim.weight_decay), scalar(clip),
        )  # fmt: skip

    def unflatten(self, params_P: Tensor) -> dict[str, Tensor]:
        """Views {name: tensor} of the flat vector."""
        parts = params_P.split([s.numel() for s in self.sizes.values()])
        return {n: p.view(s) for (n, s), p in zip(self.sizes.items(), parts, strict=True)}

    def logits(self, params: dict[str, Tensor], taps: Tensor, tokens: Tensor) -> Tensor:
        """(B, scored, V), in the parameters' type."""
        return logits_of(self.module, self.scored, params, taps, tokens).to(self.dtype)

    def step(
        self, params_P: Tensor, mean_P: Tensor, square_P: Tensor, taps: Tensor,
        lr: Tensor, weight_decay: Tensor, clip: Tensor,
        tokens_BT: Tensor, targets_BQ: Tensor, number: Tensor, factor: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        """One optimiser step: new (params, mean, square), loss in nats, gradient norm.

        `number` counts steps from 1; `factor` is the schedule's share of the peak `lr`.
        """

        def loss_of(params: dict[str, Tensor]) -> Tensor:
            logits = self.logits(params, taps, tokens_BT)
            return F.cross_entropy(logits.flatten(0, 1), targets_BQ.flatten())

        grads, loss = grad_and_value(loss_of)(self.unflatten(params_P))
        grad_P = torch.cat([grads[n].flatten() for n in self.sizes])
        norm = grad_P.square().sum().sqrt()
        grad_P = grad_P * clip_factor(norm, clip)
        o = self.optim
        params_P, mean_P, square_P = adamw(
            params_P, grad_P, mean_P, square_P, number, lr * factor, weight_decay,
            o.beta1, o.beta2, o.eps,
        )  # fmt: skip
        return params_P, mean_P, square_P, loss, norm

    def evaluate(
        self, params_P: Tensor, taps: Tensor, tokens_BT: Tensor, targets_BQ: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Summed loss in nats (0-d) and number of right answers (0-d int64) of one batch."""
        logits = self.logits(self.unflatten(params_P), taps, tokens_BT)
        loss = F.cross_entropy(logits.flatten(0, 1), targets_BQ.flatten(), reduction="sum")
        return loss, (logits.argmax(-1) == targets_BQ).sum()


STEP_PER_RUN = (0, 1, 2, 3, 4, 5, 6, 9)
EVALUATE_PER_RUN = (0, 1)
"""Arguments of `over_runs`' functions that have a leading axis of runs."""


def over_runs(core: Core) -> tuple[Callable, Callable]:
    """`step` and `evaluate` over a slice of runs: every run's tensors get a leading axis.

    `step`'s tokens and targets are given once for every distinct seed_data, (U, B, T), with
    an index (W,) that says which of them each run sees.
    """
    step_each = torch.vmap(core.step, in_dims=(0,) * 9 + (None, None))
    evaluate_each = torch.vmap(core.evaluate, in_dims=(0, 0, None, None))

    def step(params, mean, square, taps, lr, decay, clip, tokens, targets, seen, number, factor):
        return step_each(
            params, mean, square, taps, lr, decay, clip, tokens[seen], targets[seen],
            number, factor,
        )  # fmt: skip

    return step, evaluate_each
