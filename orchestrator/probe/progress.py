"""How far a count of runs is: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from orchestrator.launch.progress import LINE_S

T = TypeVar("T")


def counted(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The items, their count shown on standard error with an estimate of what is left."""
    console = Console(stderr=True)
    if console.is_terminal:
        yield from track(items, what, total, console=console)
        return
    begun = said = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - said > LINE_S:
            said, left = now, (now - begun) * (total - done) / done
            print(f"{what}: {done}/{total} runs; {left:.0f} s left", file=sys.stderr, flush=True)
