"""What a measure of one's own must provide, and its trial.

    def logit_scale(forward):                      # an orchestrator.measures.Forward
        return {"logit_scale": forward.logits_BQV.square().mean().sqrt()}

`measures=[query_gain,my.module.logit_scale]` measures it at every evaluation, on the first sequences
of the evaluation set (training.measures.SEQUENCES): a column of both tables. Runs with a measure are other runs than those
without, though they train to the same numbers: what was not measured can't be shown.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.errors import UserError
from orchestrator.parts.own import Part, guarded, load

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.config import RunConfig
    from orchestrator.measures import Forward

SEQUENCES = 8
"""Sequences of the trial."""
RESERVED = (
    "sweep", "pack", "pack_size", "slice_width", "compiled", "run_id", "status", "val_loss",
    "accuracy", "eval_correct", "eval_total", "mean_loss", "steps_to_solve", "steps", "step",
    "tokens", "wall_s", "learned_gamma", "learned_taps", "gamma", "taps", "attempt", "device",
    "git_commit", "code_version", "train_loss", "grad_norm", "lr", "first", "measures",
    "tokens_per_second", "last_step", "diverged",
)  # fmt: skip
"""Columns of the tables and metrics of W&B, besides those that describe a run (describe.py)."""


class Measure(Protocol):
    """A function of one run's forward pass on one evaluation batch."""

    def __call__(self, forward: Forward) -> dict[str, Tensor]:
        """{column: 0-d tensor}, the same columns for every batch.

        It is called under `vmap` over runs: no `.item()`, no `if` on a tensor's value, no in-place
        writing, no randomness.
        """
        ...


def require_known(names: list[str]) -> None:
    """Raises: UserError where a name without a dot is no measure of ours."""
    from orchestrator import measures

    known = [name for name in measures.__all__ if name != "Forward"]
    for name in names:
        if "." not in name and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise UserError(
                f"measures={name}: must be one of {', '.join(known)}, or an import path{hint}"
            )


def parts_of(run: RunConfig) -> list[Part]:
    """A run's measures as parts, ours first."""
    return [Part("measure", "measures", n) for n in sorted(run.measures, key=lambda n: "." in n)]


def function_of(part: Part) -> Measure:
    """Raises: UserError where it can't be imported."""
    path = part.path if "." in part.path else f"orchestrator.measures.{part.path}"
    found = load(Part(part.kind, part.key, path))
    part.require(callable(found), "must be a function of a Forward")
    return found


def check(run: RunConfig) -> None:
    """Measure two runs before training, alone, again and under vmap; no two may share a column.

    Raises: UserError.
    """
    import torch

    from orchestrator.describe import describe
    from orchestrator.training.measures import forward_of
    from orchestrator.training.step import Core

    core = Core(run, torch.device("cpu"))
    tensors = core.init(run)
    seed = torch.tensor(1)
    batch = run.task.batch(seed, torch.zeros_like(seed), SEQUENCES)
    taken = dict.fromkeys((*RESERVED, *describe(run, "", 0)), "the tables")
    for part in parts_of(run):
        function = function_of(part)

        def measured(params_P: Tensor, function=function) -> dict[str, Tensor]:
            return function(forward_of(core, params_P, tensors.taps, *batch))

        kept = tensors.params.clone()
        with guarded(part, "fails"):
            found = measured(tensors.params)
        _require_values(part, found)
        part.require(torch.equal(kept, tensors.params), "writes to the parameters")
        for name in found:
            part.require(
                name not in taken, f"its column {name!r} is one of {taken.get(name)} already"
            )
            taken[name] = f"measures={part.path}"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            with guarded(part, "fails at the second call"):
                again = measured(tensors.params)
        same = isinstance(again, dict) and _close(found, again, 0)
        part.require(same, "gives other numbers at the second call")
        with guarded(part, "fails under vmap over runs (no .item(), no `if` on a tensor's value)"):
            both = torch.vmap(measured)(torch.stack((kept, kept / 2)))
        first = {name: both[name][0] for name in found}
        part.require(
            _close(found, first, 1e-3), "gives other numbers under vmap over runs than alone"
        )


def _require_values(part: Part, found: Any) -> None:
    from torch import Tensor

    part.require(
        isinstance(found, dict) and len(found) > 0 and all(isinstance(n, str) for n in found),
        f"gives {type(found).__name__}, must give a dict of scalars by name",
    )
    for name, x in found.items():
        part.require(name.isidentifier(), f"{name!r} can't be a column: letters, digits and _")
        part.require(isinstance(x, Tensor), f"{name} is {type(x).__name__}, must be a 0-d tensor")
        part.require(x.ndim == 0, f"{name} has shape {tuple(x.shape)}, must be a 0-d tensor")
        part.require(not x.is_complex(), f"{name} is complex, must be real")
        part.require(bool(x.isfinite()), f"{name} is {x.item()} before the first step")


def _close(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float) -> bool:
    import torch

    return one.keys() == other.keys() and all(
        torch.allclose(x.double(), other[n].double(), rtol=tolerance, atol=tolerance)
        for n, x in one.items()
    )
