"""A whole sweep as one W&B run: one point each time more of its runs have finished.

Any of a sweep's jobs may be the one that sends, and exactly one is: the owner of the last of a
series of claim files, each created exclusively. When it ends, another job takes over.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

from orchestrator.records.attempts import attempts, results
from orchestrator.records.liveness import alive, owner
from orchestrator.records.manifests import Sweep, read_sweep
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, read_json, write_new
from orchestrator.tracking.content import Ending, Identity, ended
from orchestrator.tracking.feed import Stream

READ_S = 10.0
"""Seconds between two readings of all results of a sweep."""


def sweep_identity(sweep: Sweep) -> Identity:
    """Names of a sweep as one W&B run."""
    key = hashlib.sha256(f"sweep {sweep.name}".encode()).hexdigest()[:16]
    arms = sorted({m.arm for m in sweep.members.values()})
    config = {"sweep": sweep.name, "runs": len(sweep.members), "arms": ", ".join(arms)}
    tags = (f"sweep:{sweep.name}"[:64],)
    return Identity(key, f"sweep-{sweep.name}", sweep.name, "sweep", tags, config)


def finished(store: Store, sweep: Sweep) -> dict[str, dict[str, Any]]:
    """The results of a sweep's members, by run id."""
    found: dict[str, dict[str, Any]] = {}
    for pack_id in {m.pack_id for m in sweep.members.values()}:
        found |= results(attempts(store, pack_id))
    return {run_id: row for run_id, row in found.items() if run_id in sweep.members}


def sweep_row(found: dict[str, dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """(number finished, how the sweep stands then)."""
    rows = list(found.values())
    values: dict[str, Any] = {
        "finished": len(rows),
        "diverged": sum(r["status"] == "diverged" for r in rows),
        "tokens": sum(r["tokens"] for r in rows),
    }
    losses = [r["val_loss"] for r in rows if r["val_loss"] is not None]
    if losses:
        values["best_val_loss"], values["best_accuracy"] = (
            min(losses), max(r["accuracy"] for r in rows),
        )  # fmt: skip
    return len(rows), values


def sweep_ending(sweep: Sweep, found: dict[str, dict[str, Any]]) -> Ending:
    """How it ends for now; runs that finish later open it again."""
    whole = len(found) == len(sweep.members)
    return ended(Ending(0, {"status": "completed" if whole else "unfinished"}), len(found))


class SweepFeed:
    """The stream of one sweep, as long as this process is the one that sends it."""

    def __init__(self, store: Store, sweep_name: str) -> None:
        self.store, self.name = store, sweep_name
        self.sweep = read_sweep(store, sweep_name)
        self.stream = Stream(sweep_identity(self.sweep))
        self.found: dict[str, dict[str, Any]] = {}
        self.read_at = -READ_S
        self.mine: Path | None = None
        self.over = False

    def read(self) -> None:
        """Take how the sweep stands, now and then."""
        if time.monotonic() - self.read_at >= READ_S:
            self.read_at = time.monotonic()
            self.found = finished(self.store, self.sweep)
            if self.found:
                self.stream.take(sweep_row(self.found))

    def claim(self) -> bool:
        """Whether this process sends the sweep; takes over from one that has ended."""
        if self.mine is not None:
            os.utime(self.mine)
            return True
        folder = self.store.root / "tracking"
        folder.mkdir(exist_ok=True)
        earlier = sorted(folder.glob(f"{self.name}.[0-9]*.sender"))
        last = read_json(earlier[-1], needs=("host", "pid")) if earlier else None
        if last is not None and alive(last, earlier[-1]):
            return False
        number = int(earlier[-1].suffixes[-2][1:]) + 1 if earlier else 1
        path = folder / f"{self.name}.{number:06d}.sender"
        try:
            self.mine = write_new(path, seal(owner()))
        except FileExistsError:
            return False  # another job was faster
        return True

    @property
    def streams(self) -> dict[int, Stream]:
        return {0: self.stream}

    @property
    def done(self) -> bool:
        """Whether nothing is left for this process to do."""
        return self.over and self.stream.idle

    def look(self) -> None:
        """Take how the sweep stands, where it is for this process to say so."""
        if not self.over and self.claim():
            self.read()

    def job_ended(self) -> None:
        """The last point and the end for now; while another job trains on, it is that one's."""
        if self.over:
            return
        self.found = finished(self.store, self.sweep)
        if self.claim():
            if self.found:
                self.stream.take(sweep_row(self.found))
                self.stream.ending = sweep_ending(self.sweep, self.found)
            self.over = True
        elif len(self.found) < len(self.sweep.members):
            self.over = True
