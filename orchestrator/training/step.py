"""The training step and the evaluation of one run, as pure functions.

Everything that may differ between the runs of a pack is a tensor argument; `vmap` over them is a
pack's step, and no run can touch another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad_and_value

from orchestrator.config import Model, RunConfig
from orchestrator.identity import per_run_numbers
from orchestrator.models.module import initial_of, logits_of, module_of, taps_of
from orchestrator.models.parametrisation import is_standard, scale_of
from orchestrator.optimizers import join, split

DTYPES = {"32-true": torch.float32, "bf16-mixed": torch.float32, "64-true": torch.float64}
"""Of parameters and optimiser state, by Lightning's name of the precision."""


@dataclass(frozen=True)
class RunTensors:
    """What one run brings into the step: parameters (P,), taps (L, S, H, K) and scalars."""

    params: Tensor
    taps: Tensor
    clip: Tensor
    """Largest gradient norm; +inf: none."""
    hyper: dict[str, Tensor]
    """The optimiser's settings that may differ between runs: lr, weight_decay, its own."""


class Core:
    """The functions of one shape: `init`, `step` and `evaluate`, each for one run."""

    def __init__(self, run: RunConfig, device: torch.device) -> None:
        self.dtype = DTYPES[run.precision]
        self.module = module_of(run).to(device, self.dtype)
        self.scored = run.task.scored
        self.sizes = {n: p.shape for n, p in self.module.named_parameters()}
        self.optim = run.optim
        self.rates = per_run_numbers(run.optim)
        """{setting: whether it is a learning rate}, of the optimiser's that differ within a pack."""
        del self.rates["clip"]
        count = sum(s.numel() for s in self.sizes.values())
        self.state = list(run.optim.init(torch.zeros(count, dtype=self.dtype), self.sizes))
        """Names of the optimiser's state."""
        self.device = device
        scales = scales_of(run)
        self.scales = scales and tuple(x.to(device, self.dtype) for x in scales)
        """Of AdamW's rate and epsilon (P,); None: 1 for all."""

    def init(self, run: RunConfig) -> RunTensors:
        """One run's initial tensors, on the CPU, in the parameters' type."""
        values = initial_of(self.module, run)
        clip = float("inf") if run.optim.clip is None else run.optim.clip

        def scalar(x: float) -> Tensor:
            return torch.tensor(x, dtype=self.dtype)

        return RunTensors(
            join(values, self.sizes).to(self.dtype), taps_of(run).to(self.dtype),
            scalar(clip), {n: scalar(getattr(run.optim, n)) for n in self.rates},
        )  # fmt: skip

    def unflatten(self, params_P: Tensor) -> dict[str, Tensor]:
        """Views {name: tensor} of the flat vector."""
        return split(params_P, self.sizes)

    def logits(
        self, params: dict[str, Tensor], taps: Tensor, tokens: Tensor,
        trace: list[Any] | None = None,
    ) -> Tensor:  # fmt: skip
        """(B, scored, V), in the parameters' type; `trace` as of models.module.logits_of."""
        return logits_of(self.module, self.scored, params, taps, tokens, trace).to(self.dtype)

    def step(
        self, params_P: Tensor, taps: Tensor, clip: Tensor, hyper: dict[str, Tensor],
        state: dict[str, Tensor], tokens_BT: Tensor, targets_BQ: Tensor, number: Tensor,
        factor: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:  # fmt: skip
        """One optimiser step: loss in nats, gradient norm, new parameters (P,) and state.

        `number` counts steps from 1; `factor` is the schedule's share of a peak learning rate.
        """

        def loss_of(params: dict[str, Tensor]) -> Tensor:
            logits = self.logits(params, taps, tokens_BT)
            return F.cross_entropy(logits.flatten(0, 1), targets_BQ.flatten())

        grads, loss = grad_and_value(loss_of)(self.unflatten(params_P))
        grad_P = join(grads, self.sizes)
        norm = grad_P.square().sum().sqrt()
        grad_P = grad_P * clip_factor(norm, clip)
        now = {n: x * factor if self.rates[n] else x for n, x in hyper.items()}
        if self.scales is not None:
            now["scales"] = self.scales
        params_P, state = self.optim.update(params_P, grad_P, state, self.sizes, number, **now)
        return loss, norm, params_P, state

    def evaluate(
        self, params_P: Tensor, taps: Tensor, tokens_BT: Tensor, targets_BQ: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Summed loss in nats (0-d) and number of right answers (0-d int64) of one batch."""
        logits = self.logits(self.unflatten(params_P), taps, tokens_BT)
        loss = F.cross_entropy(logits.flatten(0, 1), targets_BQ.flatten(), reduction="sum")
        return loss, (logits.argmax(-1) == targets_BQ).sum()


def scales_of(run: RunConfig) -> tuple[Tensor, Tensor] | None:
    """What a parametrisation makes of each parameter's rate and epsilon, (P,) each; None: nothing."""
    if not isinstance(run.model, Model) or is_standard(run.model):
        return None
    each = [(scale_of(n, run.model), p.numel()) for n, p in module_of(run).named_parameters()]
    rate = torch.cat([torch.full((count,), scale.rate) for scale, count in each])
    return rate, torch.cat([torch.full((count,), scale.eps) for scale, count in each])


def clip_factor(norm: Tensor, clip: Tensor) -> Tensor:
    """Factor that brings a gradient of this norm down to `clip` (torch.nn.utils.clip_grad_norm_).

    `clip` is +inf where there is none. A norm that is not finite gives a factor that is not.
    """
    return (clip / (norm + 1e-6)).clamp(max=1.0)


STEP_SHARED, EVALUATE_SHARED = 4, 2
"""How many of the last arguments of `over_runs`' functions all runs share; the others have a
leading axis of runs."""


def over_runs(core: Core) -> tuple[Callable, Callable]:
    """`step` and `evaluate` over a slice of runs, as functions of tensors alone.

    `step(params, taps, clip, seen, *hyper, *state, tokens, targets, number, factor)` returns loss,
    norm, params and *state, settings and state in the order of `core.rates` and `core.state`. Its
    tokens and targets are given once for every distinct seed_data, (U, B, T); `seen` (W,) says
    which of them each run sees.
    """
    step_each = torch.vmap(core.step, in_dims=(0,) * 7 + (None, None))
    evaluate_each = torch.vmap(core.evaluate, in_dims=(0, 0, None, None))

    def step(params: Tensor, taps: Tensor, clip: Tensor, seen: Tensor, *rest: Tensor) -> tuple:
        *given, tokens, targets, number, factor = rest
        hyper = dict(zip(core.rates, given, strict=False))
        state = dict(zip(core.state, given[len(hyper) :], strict=True))
        loss, norm, params, state = step_each(
            params, taps, clip, hyper, state, tokens[seen], targets[seen], number, factor
        )
        return loss, norm, params, *(state[n] for n in core.state)

    return step, evaluate_each
