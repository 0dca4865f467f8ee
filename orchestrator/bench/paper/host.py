"""Whether a function's every tensor lies where its inputs lie.

It is run on the `meta` device: there nothing has a value, so that whatever lies on the host was put
there by the function itself, and on a GPU would be a copy, or a wait for one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class HostTensor(RuntimeError):
    """A tensor would lie on the host, or the host would wait for a value."""


class _Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.host: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [t for t in tree_leaves((args, out)) if isinstance(t, Tensor)]
        # vmap makes 0-d tensors of Python's numbers; a kernel takes those as it takes numbers.
        if any(t.device.type != "meta" and t.ndim for t in tensors):
            self.host.append(str(func))
        return out


def require_on_device(function: Callable[..., Any], args: tuple[Tensor, ...]) -> None:
    """Raises: HostTensor naming the operators that touch the host."""
    watch, moved = _Watch(), [a.to("meta") for a in args]
    try:
        with watch:
            function(*moved)
    except (RuntimeError, NotImplementedError) as e:
        raise HostTensor(f"on the host, or waited for by it: {e}") from e
    if watch.host:
        raise HostTensor(f"on the host: {', '.join(watch.host)}")
