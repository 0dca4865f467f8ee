"""All parameters of a run as one vector, and as views by name; no torch until it is called."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
"""Shape of every parameter by name, in the order in which they lie in the vector."""


def split(vector_P: Tensor, shapes: Shapes) -> dict[str, Tensor]:
    """Views {name: tensor} of the vector."""
    parts = vector_P.split([math.prod(s) for s in shapes.values()])
    return {n: p.view(s) for (n, s), p in zip(shapes.items(), parts, strict=True)}


def join(named: Mapping[str, Tensor], shapes: Shapes) -> Tensor:
    """The vector of those of the named tensors that `shapes` names, in its order."""
    import torch

    if not shapes:
        return next(iter(named.values())).new_zeros(0)
    return torch.cat([named[n].flatten() for n in shapes])
