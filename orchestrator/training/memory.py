"""Where memory does not take a slice, its runs are called in parts, halved until it does.

Nothing is lost: a step returns new tensors, so that one that fails leaves the state as it was. How
wide a call is moves the last bits, as the frozen slice width does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class InParts:
    """A function over the runs of a slice, called on as few equal parts of them as memory takes.

    `make` makes the function: anew for each width, as it may be compiled for one. Arguments
    `per_run` have a leading axis of runs, as all that it returns has; the others are shared.
    """

    def __init__(
        self, make: Callable[[], Callable[..., tuple[Tensor, ...]]], per_run: Sequence[int]
    ) -> None:
        self.make, self.per_run = make, frozenset(per_run)
        self.function, self.parts = make(), 1

    def __call__(self, *args: Tensor) -> tuple[Tensor, ...]:
        """Raises: torch.OutOfMemoryError where a single run is too large."""
        width = len(args[min(self.per_run)])
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
        outs = []
        for first in range(0, width * self.parts, width):
            part = (
                x[first : first + width] if i in self.per_run else x for i, x in enumerate(args)
            )
            outs.append(self.function(*part))
        return tuple(torch.cat(each) for each in zip(*outs, strict=True))
