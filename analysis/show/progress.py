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


class Bootstraps:
    """Bootstraps (or what is named) done and time left on standard error, from the second second on."""

    def __init__(self, what: str = "bootstrap") -> None:
        self.what = what
        self.clock, self.start, self.shown = time.monotonic, time.monotonic(), 0.0
        self.first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = self.clock() - self.start
        if self.first is None:
            self.first = (done, now)
        terminal = sys.stderr.isatty()
        if now < 2 or (done < total and now - self.shown < (0.5 if terminal else 5)):
            return
        self.shown = now
        # the first replicates are searched from every start: they say nothing of the rest's pace
        since, count = now - self.first[1], done - self.first[0]
        left = f", {since / count * (total - done):.0f} s left" if count else ""
        end = "\r" if terminal and done < total else "\n"
        print(f"{self.what} {done} of {total}{left} ", end=end, file=sys.stderr, flush=True)
