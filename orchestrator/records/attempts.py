"""Attempts: at most one living owner a pack, and every attempt writes its own folder alone.

Attempt n is a claim file created exclusively. A takeover creates n + 1, at which the owner of n
stops as soon as it looks. What counts of what they found is said by commits.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.records.commits import Commit, commits
from orchestrator.records.liveness import Condition, condition, owner
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, read_json, read_lines, write_atomic, write_new

UNKNOWN = {
    "host": "", "boot_id": "", "place": None, "pid": 0, "process_start": None, "time": 0.0,
    "slurm": None, "git_commit": None, "code_version": "unknown", "packages": {}, "log": None,
}  # fmt: skip
"""What is known of an attempt whose claim is lost: its owner counts as dead."""
_ENTRY = re.compile(r"(\d{4,})(\.claim(\..*)?)?")
"""A claim, also one that was set aside, or an attempt's folder."""


@dataclass(frozen=True)
class Attempt:
    """One try of a pack."""

    number: int
    folder: Path
    claim: dict[str, Any]

    @property
    def results(self) -> Path:
        """One line a finished run, where an earlier version trained it."""
        return self.folder / "results.jsonl"

    @property
    def late(self) -> Path:
        """Results that came after another attempt's: evidence, which never counts."""
        return self.folder / "late.jsonl"

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
        """State of the slice in training."""
        return self.folder / "checkpoint.pt"

    @property
    def earlier_checkpoint(self) -> Path:
        """The one before, for the day when the last one can't be read."""
        return self.folder / "checkpoint.earlier.pt"

    def end(self) -> dict[str, Any] | None:
        """How it ended, by its own word; None while it runs or when it was killed."""
        return read_json(self.folder / "end.json", needs=("status",))

    def condition(self) -> Condition | None:
        """running, hung or dead; None where it has ended by its own word."""
        return condition(self.claim, self.progress) if self.end() is None else None

    def living(self) -> bool:
        """Whether it is at work now: not ended, not dead and not hung."""
        return self.condition() == "running"

    def committed(self) -> bool:
        """Whether a result of it counts."""
        return any(made.attempt == self.number for made in commits(self.folder.parent))

    def superseded(self) -> bool:
        """Whether somebody has taken the pack over from it."""
        after = self.folder.with_name(f"{self.number + 1:04d}")
        # the claim may have been set aside since
        return os.path.lexists(f"{after}.claim") or os.path.lexists(after)


def attempts(store: Store, pack_id: str) -> list[Attempt]:
    """All attempts of a pack, lowest first."""
    folder = store.packs / pack_id
    try:
        names = set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = sorted({int(m.group(1)) for m in map(_ENTRY.fullmatch, names) if m})
    out = []
    for number in found:
        name = f"{number:04d}.claim"
        known = read_json(folder / name, needs=("host", "pid")) if name in names else None
        out.append(Attempt(number, folder / f"{number:04d}", {**UNKNOWN, **(known or {})}))
    return out


def claim(
    store: Store, pack_id: str, about: dict[str, Any], runs: Collection[str] | None = None
) -> Attempt | None:
    """Make this process the owner of a new attempt, or None where another one is at work.

    `about` is kept in the claim: versions, commit, log, and `stall_s`, the seconds without a step
    after which it is hung. `runs`: what there is to train; None also where all of them are done.
    """
    earlier = attempts(store, pack_id)
    if any(a.living() for a in earlier):
        return None
    # read only now: what ended before the list was read has left its results, and what began
    # since has the number that this claim would take
    if runs is not None and set(runs) <= set(results(earlier)):
        return None
    number = earlier[-1].number + 1 if earlier else 1
    folder = store.packs / pack_id
    mine = {**UNKNOWN, **owner(), **about}
    try:
        write_new(folder / f"{number:04d}.claim", seal(mine))
    except FileExistsError:
        return None  # another process was faster
    attempt = Attempt(number, folder / f"{number:04d}", mine)
    attempt.folder.mkdir(exist_ok=True)
    write_atomic(attempt.progress, seal({}))
    return attempt


def end(attempt: Attempt, status: str, error: str | None = None) -> None:
    """Record how an attempt ended: completed, failed or stopped."""
    write_atomic(attempt.folder / "end.json", seal({"status": status, "error": error}))


def results(tries: list[Attempt], made: list[Commit] | None = None) -> dict[str, dict[str, Any]]:
    """The result that counts for every finished run of a pack, with its attempt's number.

    `made`: the pack's commits, where they have been read already.

    Runs that earlier versions of the code finished were not committed: of theirs the lowest
    attempt's counts.
    """
    out: dict[str, dict[str, Any]] = {}
    if made is None:
        made = commits(tries[0].folder.parent) if tries else []
    for commit in made:
        for row in commit.runs:
            out.setdefault(row["run_id"], {**row, "attempt": commit.attempt})
    for attempt in tries:
        for row in read_lines(attempt.results):
            out.setdefault(row["run_id"], {**row, "attempt": attempt.number})
    return out
