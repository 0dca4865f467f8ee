"""A step or evaluation compiled by Inductor from one trace of it.

The trace is `make_fx`'s, not Dynamo's: it passes through `vmap` and `grad` to bare operators, and
what is left for `torch.compile` is a flat graph. What makes that right: the function has no control
flow that depends on data, and is only called with tensors of the shapes it was traced with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Compiled:
    """A function of tensors, compiled at its first call for the shapes it is then given."""

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self.function = function
        self.made: Callable[..., Any] | None = None

    def __call__(self, *args: Tensor) -> tuple[Tensor, ...]:
        if self.made is None:
            self.made = _compile(self.function, args)
        return self.made(*args)


@torch.no_grad()
def _compile(function: Callable[..., Any], args: tuple[Tensor, ...]) -> Callable[..., Any]:
    from torch.fx.experimental.proxy_tensor import make_fx

    graph = make_fx(lambda *inputs: function(*inputs))(*args)
    return torch.compile(graph, dynamic=False, fullgraph=True)
