"""Where memory does not take a slice, its runs are called in parts, halved until it does.

Nothing is lost: a step returns new tensors, so that one that fails leaves the state as it was. How
wide a call is moves the last bits, as the frozen slice width does.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class InParts:
    """A function over the runs of a slice, called on as few equal parts of them as memory takes.

    `make` makes the function: anew for each width, as it may be compiled for one. Its last
    `shared` arguments are shared; the others have a leading axis of runs, as all that it returns.
    """

    def __init__(self, make: Callable[[], Callable[..., tuple[Tensor, ...]]], shared: int) -> None:
        self.make, self.shared = make, shared
        self.function, self.parts = make(), 1

    def __call__(self, *args: Tensor) -> tuple[Tensor, ...]:
        """Raises: torch.OutOfMemoryError where a single run is too large."""
        width = len(args[0])
        while True:
            try:
                return self._call(args, width // self.parts)
            except torch.OutOfMemoryError:
                if self.parts == width:
                    raise
            # Out of the handler, whose traceback would keep the tensors of the failed call.
            self.parts = next(p for p in range(self.parts + 1, width + 1) if width % p == 0)
            self.function = self.make()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _call(self, args: tuple[Tensor, ...], width: int) -> tuple[Tensor, ...]:
        if self.parts == 1:
            return self.function(*args)
        each, shared = args[: -self.shared], args[-self.shared :]
        outs = [
            self.function(*(x[first : first + width] for x in each), *shared)
            for first in range(0, width * self.parts, width)
        ]
        return tuple(torch.cat(parts) for parts in zip(*outs, strict=True))
