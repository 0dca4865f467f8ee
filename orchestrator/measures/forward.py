"""What a measure may look at: one forward pass of one run on one evaluation batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.models.trace import Layer


@dataclass(frozen=True)
class Forward:
    """Parameters, a batch, and what the model made of it."""

    params: dict[str, Tensor]
    """Parameters by name."""
    taps: Tensor
    """(L, S, H, K): the filter's taps as configured; (0,) where the model has no filter."""
    tokens_BT: Tensor
    targets_BQ: Tensor
    logits_BQV: Tensor
    trace: list[Layer]
    """What each layer's attention saw; of a model of one's own, what its `forward` adds to the list
    `trace`, where it takes one."""

    @property
    def layers(self) -> list[Layer]:
        """What each layer's attention saw. Raises: AttributeError where the model does not show it."""
        from orchestrator.models.trace import Layer

        if not (self.trace and all(isinstance(x, Layer) for x in self.trace)):
            raise AttributeError(
                "looks at attention, which this model does not show (its forward must take `trace`, "
                "a list, and add an orchestrator.models.trace.Layer for each layer)"
            )
        return self.trace
