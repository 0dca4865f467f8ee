"""AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2).

Ours because the stock optimiser holds one learning rate; tested against it run by run. What
changes here changes in models/native/train.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.optimizers.base import Optim, require_fraction, require_nonnegative

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.optimizers.flat import Shapes

    Scales = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class AdamW(Optim):
    """AdamW with gradient clipping and a schedule."""

    beta1: float = 0.9
    """Decay of the first moment."""
    beta2: float = 0.999
    """Decay of the second moment."""
    eps: float = 1e-8
    """Added to the root of the second moment."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_nonnegative(self, "eps")
        for name in ("beta1", "beta2"):
            require_fraction(self, name)

    def init(self, params_P: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        """mean and square (P,), the two moments."""
        import torch

        return {"mean": torch.zeros_like(params_P), "square": torch.zeros_like(params_P)}

    def update(
        self, params_P: Tensor, grad_P: Tensor, state: dict[str, Tensor], shapes: Shapes,
        step: Tensor, *, lr: Tensor, weight_decay: Tensor, scales: Scales | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """`scales`: (P,) each, of the rate and of epsilon; None: 1 for all."""
        params_P, mean_P, square_P = adamw(
            params_P, grad_P, state["mean"], state["square"], step, lr, weight_decay,
            self.beta1, self.beta2, self.eps, scales,
        )  # fmt: skip
        return params_P, {"mean": mean_P, "square": square_P}


def adamw(
    params_P: Tensor, grad_P: Tensor, mean_P: Tensor, square_P: Tensor,
    step: Tensor, lr: Tensor, weight_decay: Tensor, beta1: float, beta2: float, eps: float,
    scales: Scales | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """New (params, mean, square) after step number `step` ≥ 1."""
    mean_P = mean_P.lerp(grad_P, 1 - beta1)
    square_P = beta2 * square_P + (1 - beta2) * grad_P * grad_P
    correction1 = 1 - beta1**step
    correction2 = 1 - beta2**step
    rate, floor = lr / correction1, eps
    if scales is not None:
        rate, floor = rate * scales[0], eps * scales[1]
    denominator = square_P.sqrt() / correction2.sqrt() + floor
    params_P = params_P * (1 - lr * weight_decay) - rate * mean_P / denominator
    return params_P, mean_P, square_P
