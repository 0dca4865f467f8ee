"""What an optimiser of one's own must provide (optimizers.base.Optim), and its trial.

    from dataclasses import dataclass, field
    import torch
    from orchestrator.optimizers import RATE, Optim

    @dataclass(frozen=True)
    class HeavyBall(Optim):                    # lr, weight_decay, clip, warmup, schedule, ... are there
        momentum: float = 0.9                  # a setting: optim.momentum=0.95

        def init(self, params_P, shapes):
            return {"velocity": torch.zeros_like(params_P)}

        def update(self, params_P, grad_P, state, shapes, step, *, lr, weight_decay):
            velocity_P = self.momentum * state["velocity"] + grad_P
            params_P = params_P * (1 - lr * weight_decay) - lr * velocity_P
            return params_P, {"velocity": velocity_P}

A number that may differ between the runs of a pack is `field(default=..., metadata=PER_RUN)`, a
second learning rate `metadata=RATE`; both come to `update` as tensors by their names. `shapes` and
orchestrator.optimizers.split give the parameters as matrices.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from orchestrator.identity import per_run_numbers
from orchestrator.parts.own import Part, guarded

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.config import RunConfig

RUNS = 2
"""Runs of the trial under vmap."""
RATE, TRIAL = 1e-3, {"weight_decay": 0.1}
"""Learning rates and decay of the trial: a run whose own are too large diverges, which is no fault."""


def require_numbers(part: Part, optim: Any) -> None:
    """Raises: UserError where a setting that comes as a tensor is no number. No torch."""
    for name in per_run_numbers(optim):
        value = getattr(optim, name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        part.require(
            name == "clip" or (number and math.isfinite(value)),
            f"optim.{name} is {value!r}: a field that differs between runs must be a finite number",
        )


def check(run: RunConfig, part: Part) -> None:
    """Two steps with made-up gradients: alone, again, under vmap, and where no number is known.

    Raises: UserError.
    """
    import torch

    from orchestrator.models.module import module_of
    from orchestrator.training.step import DTYPES

    optim, dtype = run.optim, DTYPES[run.precision]
    shapes = {n: p.shape for n, p in module_of(run).named_parameters()}
    count = sum(s.numel() for s in shapes.values())
    made = torch.Generator().manual_seed(1)
    params_P, *grads = (torch.randn(count, generator=made, dtype=dtype) for _ in range(3))
    rates = {
        n: torch.tensor(TRIAL.get(n, RATE if rate else getattr(optim, n)), dtype=dtype)
        for n, rate in per_run_numbers(optim).items() if n != "clip"
    }  # fmt: skip
    words = ", ".join(("params_P, grad_P, state, shapes, step, *", *rates))

    def init(params: Tensor) -> dict[str, Tensor]:
        with guarded(part, "init(params_P, shapes) fails"):
            return optim.init(params, shapes)

    def update(params: Tensor, grad: Tensor, state: dict, number: Tensor, rates: dict) -> Any:
        with guarded(part, f"update({words}) fails"):
            return optim.update(params, grad, dict(state), shapes, number, **rates)

    def steps(params: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        state = _require_state(part, "init", init(params), None)
        for i, grad in enumerate(grads):
            kept = [x.clone() for x in (params, grad, *state.values())]
            given = (params, grad, *state.values())
            out = update(params, grad, state, torch.tensor(i + 1.0, dtype=dtype), rates)
            part.require(
                isinstance(out, tuple) and len(out) == 2,
                f"update gives {type(out).__name__}, must give (params_P, state)",
            )
            part.require(
                all(map(torch.equal, given, kept)),
                "update writes to its arguments: make new tensors",
            )
            params = _require_tensor(part, "update's params_P", out[0], params)
            state = _require_state(part, "update", out[1], state)
        return params, state

    params, state = steps(params_P)
    part.require(not torch.equal(params, params_P), "update leaves the parameters as they are")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        params_again, state_again = steps(params_P)
    same = torch.equal(params, params_again) and all(
        torch.equal(x, state_again[n]) for n, x in state.items()
    )
    part.require(same, "gives another step at the second call: no randomness, no state of its own")
    _require_vmap(part, optim, shapes, params_P, grads[0], rates)
    _require_device(part, optim, shapes, count, dtype, rates)


def _require_tensor(part: Part, what: str, x: Any, like: Tensor) -> Tensor:
    from torch import Tensor

    part.require(isinstance(x, Tensor), f"{what} is {type(x).__name__}, must be a tensor")
    part.require(
        x.shape == like.shape, f"{what} has shape {tuple(x.shape)}, must have {tuple(like.shape)}"
    )
    part.require(x.dtype == like.dtype, f"{what} is {x.dtype}, must be {like.dtype} as before")
    part.require(x.device == like.device, f"{what} is on {x.device}, must be on {like.device}")
    part.require(bool(x.isfinite().all()), f"{what} is not finite after a step")
    return x


def _require_state(part: Part, where: str, state: Any, before: dict | None) -> dict[str, Tensor]:
    from torch import Tensor

    part.require(
        isinstance(state, dict) and all(isinstance(n, str) for n in state),
        f"{where}'s state is {type(state).__name__}, must be a dict of tensors by name",
    )
    for name, x in state.items():
        part.require(
            isinstance(x, Tensor),
            f"{where}'s state {name!r} is {type(x).__name__}, must be a tensor",
        )
    if before is None:
        return {n: _require_tensor(part, f"init's state {n!r}", x, x) for n, x in state.items()}
    part.require(
        state.keys() == before.keys(),
        f"update's state has {_names(state)}, must have {_names(before)} as before",
    )
    return {
        n: _require_tensor(part, f"update's state {n!r}", state[n], x) for n, x in before.items()
    }


def _names(state: dict) -> str:
    return ", ".join(state) or "nothing"


def _require_vmap(part: Part, optim, shapes, params_P, grad_P, rates) -> None:
    """Over parameters, gradients, rates and the step's number, so that none decides a branch."""
    import torch

    def step(params: Tensor, grad: Tensor, number: Tensor, rates: dict) -> Any:
        return optim.update(params, grad, optim.init(params, shapes), shapes, number, **rates)

    numbers = torch.arange(1, RUNS + 1, dtype=params_P.dtype)
    factors = torch.linspace(1, 0.5, RUNS, dtype=params_P.dtype)
    both = [torch.stack([(1 - 0.5 * i) * x for i in range(RUNS)]) for x in (params_P, grad_P)]
    with guarded(part, "fails under vmap over runs (no .item(), no `if` on a tensor's value)"):
        found, _ = torch.vmap(step)(*both, numbers, {n: x * factors for n, x in rates.items()})
    for i in range(RUNS):
        alone, _ = step(
            both[0][i], both[1][i], numbers[i], {n: x * factors[i] for n, x in rates.items()}
        )
        part.require(
            torch.allclose(found[i], alone, rtol=1e-2, atol=1e-3 * float(alone.abs().max())),
            "gives another step under vmap over runs than alone",
        )


def _require_device(part: Part, optim, shapes, count, dtype, rates) -> None:
    """Tensors are made where the parameters are: the meta device stands for a GPU."""
    import torch

    from orchestrator.parts.devices import Mixed, OneDevice

    params_P = torch.zeros(count, dtype=dtype, device="meta")
    rates = {n: x.to("meta") for n, x in rates.items()}
    one = torch.ones((), dtype=dtype, device="meta")
    try:
        with OneDevice():
            optim.update(params_P, params_P, optim.init(params_P, shapes), shapes, one, **rates)
    except Mixed as e:
        raise part.fault(
            f"makes a tensor on the CPU that meets the parameters' device in {e}: use "
            "device=params_P.device"
        ) from e
    except Exception:  # noqa: BLE001 (it ran above: this is an operation that meta tensors lack)
        return
