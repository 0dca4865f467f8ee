"""Bytes that live at once in a traced function: each storage from the call that makes it to its last use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx


def live_bytes(function: Callable[..., Any], args: tuple[Tensor, ...]) -> int:
    """The most at any call, arguments and results included; args may be fake tensors."""
    nodes = list(make_fx(lambda *given: function(*given))(*args).graph.nodes)
    size: dict[int, int] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for at, node in enumerate(nodes):
        for tensor in _tensors(node.meta.get("val")):
            storage = tensor.untyped_storage()
            size[storage._cdata] = storage.nbytes()
            first.setdefault(storage._cdata, at)
            last[storage._cdata] = at
        for given in node.all_input_nodes:
            for tensor in _tensors(given.meta.get("val")):
                last[tensor.untyped_storage()._cdata] = at
    change: dict[int, int] = defaultdict(int)
    for key, bytes_ in size.items():
        change[first[key]] += bytes_
        change[last[key] + 1] -= bytes_
    most = live = 0
    for at in sorted(change):
        live += change[at]
        most = max(most, live)
    return most


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
