"""Work that lasts past two seconds says so on standard error, and nothing is printed before."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

AFTER = 2.0
PLAIN_EVERY = 15.0


@contextmanager
def shown(what: str) -> Iterator[None]:
    """Show that `what` goes on: a line that counts seconds on a terminal, else one now and then."""
    done = threading.Event()
    terminal = sys.stderr.isatty()

    def tell() -> None:
        start = time.monotonic()
        wait = AFTER
        while not done.wait(wait):
            passed = time.monotonic() - start
            end = "\r" if terminal else "\n"
            print(f"{what} ... {passed:.0f} s", end=end, file=sys.stderr, flush=True)
            wait = 1.0 if terminal else PLAIN_EVERY

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if terminal:
            print("\033[K", end="", file=sys.stderr, flush=True)
