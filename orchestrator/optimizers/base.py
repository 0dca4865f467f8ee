"""What every optimiser has in common: rate, decay, clip and schedule, typed and checked.

An optimiser of one's own is a frozen dataclass that inherits `Optim`, has a field for each setting
of its own, and the two functions below; `optim._target_` names it. This module is free of torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from orchestrator.coerce import require

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.optimizers.flat import Shapes

PER_RUN = {"per_run": True}
"""Metadata of a field that is a number and may differ between the runs of a pack."""
RATE = {"per_run": True, "scheduled": True}
"""The same of a learning rate: the schedule's factor multiplies it at each step."""


RESOLVED = {"label": True, "resolved": True}
"""Metadata of a field that is another way to say one, into which it is resolved."""
LENGTH = {"length": True}
"""Metadata of a field that only says how long a run is, how its rate goes on, or when it is looked at:
runs that differ in such fields alone may share their beginning (orchestrator.trunks)."""


@dataclass(frozen=True)
class Optim:
    """Learning rate, decay, gradient clipping and schedule.

    The clip and the schedule stand outside an optimiser: `update` gets the clipped gradient and the
    rate of the step.
    """

    version = 1
    """Raised whenever a change of this optimiser changes results; AdamW's is training.VERSION."""

    lr: float = field(default=3e-3, metadata=RATE)
    """Peak learning rate. Like any number here it may be an expression of a run's size
    (orchestrator.rates), "0.004 * sqrt(batch / 64)"; what is recorded is the number."""
    weight_decay: float = field(default=0.01, metadata=PER_RUN)
    """Decoupled weight decay, times the learning rate a step."""
    independent_weight_decay: float | None = field(default=None, metadata=RESOLVED)
    """The same a step at the peak rate, whatever that is (Wortsman et al. 2023, arXiv 2309.14322), in
    place of weight_decay."""
    clip: float | None = field(default=1.0, metadata=PER_RUN)
    """Largest global gradient norm; null: none."""
    warmup: int = 20
    """Steps of linear warm-up."""
    warmup_tokens: int | None = field(default=None, metadata=RESOLVED)
    """The same in input tokens, in place of warmup: as many whole steps as come nearest."""
    schedule: Literal["cosine", "constant", "constant_decay"] = field(
        default="cosine", metadata=LENGTH
    )
    """After warm-up: cosine to `final`; constant; or constant and, over the last
    `decay_fraction` of the steps, linear to `final`."""
    decay_fraction: float = field(default=0.2, metadata=LENGTH)
    """Share of the steps, at the end, over which `constant_decay` decays."""
    decay_steps: int | None = field(default=None, metadata=RESOLVED)
    """The same in steps, in place of decay_fraction."""
    final: float = field(default=0.1, metadata=LENGTH)
    """Last learning rate over the peak."""

    def __post_init__(self) -> None:
        for name in ("lr", "weight_decay"):
            require_nonnegative(self, name)
        require(
            self.clip is None or 0 < self.clip < math.inf, "optim.clip", self.clip,
            "must be above 0, or null",
        )  # fmt: skip
        require(self.warmup >= 0, "optim.warmup", self.warmup, "must be 0 or more steps")
        for name, what in (("decay_steps", " steps"), ("warmup_tokens", " tokens"),
                           ("independent_weight_decay", ", finite")):  # fmt: skip
            value = getattr(self, name)
            require(
                value is None or 0 <= value < math.inf, f"optim.{name}", value,
                f"must be 0 or more{what}",
            )  # fmt: skip
        for name in ("decay_fraction", "final"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"optim.{name}", value, "must be in [0, 1]")

    def init(self, params_P: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        """The state before the first step, {name: tensor of any shape}, of parameters (P,)."""
        raise NotImplementedError

    def update(
        self, params_P: Tensor, grad_P: Tensor, state: dict[str, Tensor], shapes: Shapes,
        step: Tensor, *, lr: Tensor, weight_decay: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """New parameters (P,) and state after step number `step` ≥ 1 (0-d).

        Every field that is `PER_RUN` comes as a 0-d tensor by its name (`RATE`s times the
        schedule's factor); `clip` has been done. Pure: new tensors, no randomness, no control flow
        that depends on values.
        """
        raise NotImplementedError


def require_nonnegative(optim: Optim, name: str) -> None:
    """Raises: UserError unless the field is finite and 0 or more."""
    value = getattr(optim, name)
    require(0 <= value < math.inf, f"optim.{name}", value, "must be 0 or more, finite")


def require_fraction(optim: Optim, name: str) -> None:
    """Raises: UserError unless the field is in [0, 1)."""
    value = getattr(optim, name)
    require(0 <= value < 1, f"optim.{name}", value, "must be in [0, 1)")
