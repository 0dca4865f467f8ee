"""From a pack's growing records to W&B runs: every new row once, in order, whatever is down.

The records are the queue: while the server is away nothing is read, so nothing piles up here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.records.attempts import attempts, results
from orchestrator.records.manifests import Sweep
from orchestrator.records.packs import Pack
from orchestrator.records.store import Store, Tail
from orchestrator.tracking.content import (
    Ending,
    Identity,
    ended,
    pack_ending,
    pack_identity,
    pack_row,
    run_ending,
    run_identity,
    run_row,
    unfinished_ending,
)
from orchestrator.tracking.marker import sending


class Sending(Protocol):
    """What a feed needs of a sender."""

    def send(self, rows: list[tuple[int, dict[str, Any]]]) -> None: ...

    def finish(self, ending: Ending) -> None: ...


@dataclass
class Stream:
    """One W&B run to be, and what is still to be sent of it."""

    identity: Identity
    pending: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    ending: Ending | None = None
    last: int = -1
    """Last step taken from the records."""
    sender: Any = None
    not_before: float = 0.0
    """Monotonic time of the next try, after one that failed."""
    closed: bool = False

    def take(self, row: tuple[int, dict[str, Any]] | None) -> None:
        """Queue a row unless its step is known: a resumed attempt repeats those before it."""
        if row is not None and row[0] > self.last:
            self.last = row[0]
            self.pending.append(row)

    @property
    def idle(self) -> bool:
        return self.closed or not (self.pending or self.ending)

    def flush(self, open_sender: Callable[[Identity], Sending]) -> None:
        """Send what is pending. Raises: whatever the client raises; then it may be called again."""
        if self.sender is None:
            self.sender = open_sender(self.identity)
        rows, self.pending = self.pending, []
        self.sender.send(rows)
        if self.ending is not None:
            self.closed = True  # a finish is tried once; what it leaves is `push`'s to send
            self.sender.finish(ended(self.ending, self.last))

    def failed(self, retry_s: float) -> None:
        self.not_before = time.monotonic() + retry_s


class PackFeed:
    """The streams of one pack, read from the records of its attempts up to `number`."""

    def __init__(
        self, store: Store, pack: Pack, number: int, sweep: Sweep, granularity: str
    ) -> None:
        tries = [a for a in attempts(store, pack.pack_id) if a.number <= number]
        self.pack, self.attempt, self.before = pack, tries[-1], tries[:-1]
        self.curves = [Tail(a.curves) for a in tries]
        self.earlier = {r: row for r, row in results(tries).items() if row["attempt"] < number}
        self.found: dict[str, dict[str, Any]] = dict(self.earlier)
        self.by_run = granularity == "run"
        self.was_read = self.abandoned = False
        if self.by_run:
            self.streams = {
                slot: Stream(run_identity(pack, slot, sweep.name, sweep.members.get(run_id)))
                for slot, run_id in enumerate(pack.run_ids)
                if run_id not in self.earlier
            }
        else:
            self.streams = {0: Stream(pack_identity(pack, sweep.name))}

    def look(self) -> None:
        """Take what is new, unless the sender of an earlier attempt is still at work."""
        if any(sending(a) for a in self.before):
            return
        end = self.attempt.end()  # asked first: what was written before it is then read
        self.read()
        self.was_read = True
        if end is not None:
            self.abandon(unfinished_ending(end))

    def job_ended(self) -> None:
        """The job has ended; one that was killed left no word of its attempt's end."""
        if self.was_read:
            self.abandon(unfinished_ending(self.attempt.end()))

    def read(self) -> None:
        """Take what is new in the records."""
        found = results([*self.before, self.attempt])  # first: a run's rows stand before its result
        for tail in self.curves:
            for row in tail.new():
                for slot, stream in self.streams.items():
                    stream.take(run_row(row, slot) if self.by_run else pack_row(row, self.pack))
        for run_id in found.keys() - self.found.keys():
            slot = self.pack.run_ids.index(run_id)
            if self.by_run and slot in self.streams:
                self.streams[slot].ending = run_ending(found[run_id])
        self.found |= found
        if not self.by_run and len(self.found) == len(self.pack.run_ids):
            self.streams[0].ending = pack_ending(list(self.found.values()))

    @property
    def done(self) -> bool:
        """Whether the attempt has ended and everything it left has been sent."""
        return self.abandoned and all(s.idle for s in self.streams.values())

    def abandon(self, ending: Ending) -> None:
        """The attempt has ended and all it wrote was read: end every stream that was begun."""
        self.abandoned = True
        for stream in self.streams.values():
            if stream.ending is None and stream.last >= 0:
                stream.ending = ending
