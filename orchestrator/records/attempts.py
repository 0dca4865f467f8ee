"""Attempts: at most one living owner a pack, and every attempt writes its own folder alone.

Attempt n is a claim file created exclusively. A takeover creates n + 1. Of several complete
results of one run, that of the lowest attempt counts, so that a result never changes once read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.records.liveness import alive, owner
from orchestrator.records.store import Store, dumps, read_json, read_lines, write_atomic, write_new


@dataclass(frozen=True)
class Attempt:
    """One try of a pack."""

    number: int
    folder: Path
    claim: dict[str, Any]

    @property
    def results(self) -> Path:
        """One line a finished run."""
        return self.folder / "results.jsonl"

    @property
    def curves(self) -> Path:
        """One line an evaluation of a slice, with a list over its runs for each metric."""
        return self.folder / "curves.jsonl"

    @property
    def progress(self) -> Path:
        """How far it is; rewritten as a heartbeat."""
        return self.folder / "progress.json"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def end(self) -> dict[str, Any] | None:
        """How it ended, by its own word; None while it runs or when it was killed."""
        return read_json(self.folder / "end.json")

    def living(self) -> bool:
        """Whether it is at work now."""
        return self.end() is None and alive(self.claim, self.progress)


def attempts(store: Store, pack_id: str) -> list[Attempt]:
    """All attempts of a pack, lowest first."""
    folder = store.packs / pack_id
    out = []
    for path in sorted(folder.glob("[0-9]*.claim")):
        claim = read_json(path)
        out.append(Attempt(int(path.stem), folder / path.stem, claim))
    return out


def claim(store: Store, pack_id: str, about: dict[str, Any]) -> Attempt | None:
    """Make this process the owner of a new attempt, or None where another one is at work.

    `about` is kept in the claim: versions, commit, device.
    """
    earlier = attempts(store, pack_id)
    if any(a.living() for a in earlier):
        return None
    number = earlier[-1].number + 1 if earlier else 1
    folder = store.packs / pack_id
    mine = {**owner(), **about}
    try:
        write_new(folder / f"{number:04d}.claim", dumps(mine))
    except FileExistsError:
        return None  # another process was faster
    attempt = Attempt(number, folder / f"{number:04d}", mine)
    attempt.folder.mkdir()
    write_atomic(attempt.progress, dumps({}))
    return attempt


def end(attempt: Attempt, status: str, error: str | None = None) -> None:
    """Record how an attempt ended: completed, failed or stopped."""
    write_atomic(attempt.folder / "end.json", dumps({"status": status, "error": error}))


def results(all_attempts: list[Attempt]) -> dict[str, dict[str, Any]]:
    """The result that counts for every finished run, by run id, with its attempt's number."""
    out: dict[str, dict[str, Any]] = {}
    for attempt in all_attempts:
        for row in read_lines(attempt.results):
            out.setdefault(row["run_id"], {**row, "attempt": attempt.number})
    return out
