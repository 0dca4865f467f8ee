"""Finds code that would fail on a GPU where there is none: tensors of two devices in one operation."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ALLOWED = ("aten::copy_", "aten::index", "aten::index_put", "aten::index_put_")
"""Operations that take tensors of two devices on a GPU, too."""


class Mixed(Exception):
    """An operation was given tensors of two devices; its name."""


class OneDevice(TorchDispatchMode):
    """Under it an operation on a meta tensor and one on the CPU raises Mixed; numbers (tensors
    without axes) of the CPU pass, as they do on a GPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        meta = any(x.device.type == "meta" for x in tensors)
        elsewhere = any(x.device.type != "meta" and x.dim() > 0 for x in tensors)
        if meta and elsewhere and func._schema.name not in ALLOWED:
            raise Mixed(func._schema.name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))
