"""How starting values, rates and AdamW's epsilon of each tensor go with width and depth.

μP (Yang et al. 2022, arXiv 2203.03466, table 8) and CompleteP with α = 1 (Dey et al. 2025, arXiv
2505.01618, table 1), with every factor of a forward pass folded into the tensor that it multiplies: one
that would stand as c W is a tensor c times as large at the start, with a rate c times as large and an
epsilon 1 / c times. Training is the same, and the forward pass the standard one. Decoupled decay is
lr x weight_decay a step for every tensor, as the latter table has it for both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.config import Model

_RESIDUAL = re.compile(r"(output|down)\.weight$")


@dataclass(frozen=True)
class Scale:
    """Of one tensor, over its standard values at this size: standard deviation at the start, learning
    rate, epsilon."""

    start: float = 1.0
    rate: float = 1.0
    eps: float = 1.0

    def folded(self, c: float) -> Scale:
        """With a factor c of the forward pass taken in."""
        return Scale(self.start * c, self.rate * c, self.eps / c)


def is_standard(model: Model) -> bool:
    """Whether every tensor starts and trains at its standard values."""
    return model.parametrisation == "standard" and model.embedding_multiplier == 1


def scale_of(name: str, model: Model) -> Scale:
    """The scale of a parameter of models.transformer, by its name."""
    scale = Scale() if model.parametrisation == "standard" else _of_size(name, model)
    return scale.folded(model.embedding_multiplier) if name == "embedding.weight" else scale


def _of_size(name: str, model: Model) -> Scale:
    """What μP and CompleteP make of it."""
    width = model.width / model.base_width
    depth = model.depth / model.base_depth if model.base_depth else 1.0
    if name == "embedding.weight":  # standard: 1 / √width
        return Scale(start=width**0.5, eps=1 / width)
    if name == "head.weight":  # standard: 1 / √width; here 1 / √base, and the logits over `width`
        return Scale(start=width**0.5, eps=1 / width).folded(1 / width)
    if name in ("norm.weight", "momentum"):
        return Scale(eps=1 / width)
    inside = Scale(eps=1 / (width * depth))
    if name.endswith("norm.weight"):
        return inside
    hidden = Scale(rate=1 / width, eps=inside.eps)
    if name.endswith("query.weight"):  # scores over d, not √d
        return hidden.folded(_head_ratio(model) ** -0.5)
    if model.base_depth and _RESIDUAL.search(name):
        # standard: / √(2 depth); here / √(2 base), and the branch over `depth`
        return Scale(depth**0.5, hidden.rate, hidden.eps).folded(1 / depth)
    return hidden


def _head_ratio(model: Model) -> float:
    """Dimension of a head over that at the base width, with as many heads."""
    return 1.0 if model.head_dim is not None else model.width / model.base_width
