"""Lion (Chen et al. 2023, arXiv 2302.06675, algorithm 2): the sign of an interpolated momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.optimizers.base import Optim, require_fraction

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.optimizers.flat import Shapes


@dataclass(frozen=True)
class Lion(Optim):
    """Lion with gradient clipping and a schedule.

    Its paper's advice: a learning rate 3 to 10 times smaller than AdamW's, and a weight decay so
    much larger.
    """

    lr: float = 5e-4
    weight_decay: float = 0.06
    beta1: float = 0.9
    """Share of the momentum in the update's direction."""
    beta2: float = 0.99
    """Decay of the momentum."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta1", "beta2"):
            require_fraction(self, name)

    def init(self, params_P: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        """momentum (P,)."""
        import torch

        return {"momentum": torch.zeros_like(params_P)}

    def update(
        self, params_P: Tensor, grad_P: Tensor, state: dict[str, Tensor], shapes: Shapes,
        step: Tensor, *, lr: Tensor, weight_decay: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        momentum_P = state["momentum"]
        direction_P = (self.beta1 * momentum_P + (1 - self.beta1) * grad_P).sign()
        params_P = params_P * (1 - lr * weight_decay) - lr * direction_P
        return params_P, {"momentum": self.beta2 * momentum_P + (1 - self.beta2) * grad_P}
