"""Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for the matrices of hidden layers:
momentum whose singular values are brought to about 1; AdamW for everything else.

Step for step torch.optim.Muon beside torch.optim.AdamW (tests/training/test_optimizers.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from orchestrator.coerce import require
from orchestrator.optimizers.adamw import adamw
from orchestrator.optimizers.base import RATE, Optim, require_fraction, require_nonnegative
from orchestrator.optimizers.flat import join, split

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.optimizers.flat import Shapes

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic polynomial, steepest at 0."""
SMALLEST = 1e-7
"""Least norm that a matrix is divided by."""


@dataclass(frozen=True)
class Muon(Optim):
    """Muon, with AdamW for what is no matrix of a hidden layer; clip and schedule for both."""

    lr: float = 0.02
    adamw_lr: float = field(default=3e-3, metadata=RATE)
    """AdamW's peak learning rate."""
    momentum: float = 0.95
    """Decay of the matrices' momentum."""
    nesterov: bool = True
    """Look ahead by the gradient of the step."""
    iterations: int = 5
    """Newton-Schulz iterations."""
    iterate_in: Literal["bfloat16", "float32", "float64"] = "bfloat16"
    """Arithmetic of these; the published one is bfloat16."""
    scale: Literal["original", "match_rms_adamw"] = "original"
    """Factor on the rate of an (A, B) matrix: √max(1, A/B), or 0.2 √max(A, B) (Liu et al. 2025,
    arXiv 2502.16982), which lets AdamW's rates serve."""
    by_adamw: list[str] = field(default_factory=lambda: ["embedding", "head", "momentum"])
    """Modules (first part of a parameter's name) whose matrices AdamW trains."""
    beta1: float = 0.9
    """AdamW's decay of the first moment."""
    beta2: float = 0.999
    """AdamW's decay of the second moment."""
    eps: float = 1e-8
    """AdamW's, added to the root of the second moment."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("adamw_lr", "eps"):
            require_nonnegative(self, name)
        for name in ("momentum", "beta1", "beta2"):
            require_fraction(self, name)
        require(1 <= self.iterations < 100, "optim.iterations", self.iterations, "must be in 1..99")

    def init(self, params_P: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        """momentum (M,) of the matrices; mean and square (P - M,) of the rest.

        Raises: UserError where there is no matrix for Muon.
        """
        import torch

        matrices, rest = self._kinds(shapes)
        require(
            bool(matrices), "optim.by_adamw", self.by_adamw,
            "leaves no matrix of the model to Muon",
        )  # fmt: skip
        zeros = split(torch.zeros_like(params_P), shapes)
        mean = join(zeros, rest)
        return {"momentum": join(zeros, matrices), "mean": mean, "square": mean.clone()}

    def update(
        self, params_P: Tensor, grad_P: Tensor, state: dict[str, Tensor], shapes: Shapes,
        step: Tensor, *, lr: Tensor, weight_decay: Tensor, adamw_lr: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        matrices, rest = self._kinds(shapes)
        params, grads = split(params_P, shapes), split(grad_P, shapes)
        momenta = split(state["momentum"], matrices)
        for name, shape in matrices.items():
            momenta[name] = momenta[name].lerp(grads[name], 1 - self.momentum)
            towards = momenta[name]
            if self.nesterov:
                towards = grads[name].lerp(towards, self.momentum)
            direction = orthogonal(towards, self.iterations, self.iterate_in).to(grad_P.dtype)
            rate = lr * _factor(shape, self.scale)
            params[name] = params[name] * (1 - lr * weight_decay) - rate * direction
        new, mean, square = adamw(
            join(params, rest), join(grads, rest), state["mean"], state["square"], step,
            adamw_lr, weight_decay, self.beta1, self.beta2, self.eps,
        )  # fmt: skip
        state = {"momentum": join(momenta, matrices), "mean": mean, "square": square}
        return join({**params, **split(new, rest)}, shapes), state

    def _kinds(self, shapes: Shapes) -> tuple[Shapes, Shapes]:
        """Muon's parameters and AdamW's."""
        matrices = {
            n: s for n, s in shapes.items()
            if len(s) == 2 and n.split(".")[0] not in self.by_adamw
        }  # fmt: skip
        return matrices, {n: s for n, s in shapes.items() if n not in matrices}


def orthogonal(matrix_AB: Tensor, iterations: int, dtype: str) -> Tensor:
    """About the nearest semi-orthogonal matrix, singular values in about 0.5..1.5: a quintic
    Newton-Schulz iteration in `dtype`."""
    import torch

    a, b, c = COEFFICIENTS
    x = matrix_AB.to(getattr(torch, dtype))
    tall = matrix_AB.shape[0] > matrix_AB.shape[1]
    x = x.mT if tall else x
    x = x / x.norm().clamp(min=SMALLEST)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def _factor(shape: tuple[int, ...], scale: str) -> float:
    a, b = shape
    return math.sqrt(max(1, a / b)) if scale == "original" else 0.2 * math.sqrt(max(a, b))
