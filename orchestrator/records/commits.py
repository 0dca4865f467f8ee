"""A run's result is committed once, by the first attempt that completes it, and never changes.

PACK/results-003.json holds slice 3 of a pack. It is created exclusively with all that counts of
the slice, so that neither a damaged claim nor an attempt that comes late can change a table.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.records.sealed import seal
from orchestrator.records.store import append_lines, read_json, write_new

if TYPE_CHECKING:
    from orchestrator.records.attempts import Attempt

_NAME = re.compile(r"results-\d{3,}\.json")


@dataclass(frozen=True)
class Commit:
    """What counts of a slice."""

    attempt: int
    """Number of the attempt that completed it."""
    runs: list[dict[str, Any]]
    """One result a run."""
    steps: list[int]
    """Steps of its evaluations, which stand in the attempt's curves."""
    last: dict[str, Any]
    """The last evaluation, as in the curves."""
    device: str | None
    git_commit: str | None
    code_version: str


def commit(
    attempt: Attempt, index: int, runs: list[dict[str, Any]], curve: list[dict[str, Any]],
    device: str | None = None,
) -> bool:  # fmt: skip
    """Commit slice `index` of an attempt's pack; False where another attempt has done so.

    What comes second is kept beside the attempt, as evidence. `curve`: its evaluations.
    """
    mine = Commit(
        attempt.number, runs, [row["step"] for row in curve], curve[-1] if curve else {}, device,
        attempt.claim.get("git_commit"), attempt.claim.get("code_version", "unknown"),
    )  # fmt: skip
    try:
        write_new(_path(attempt.folder.parent, index), seal(asdict(mine)))
    except FileExistsError:
        append_lines(attempt.late, runs)
        return False
    return True


def is_committed(attempt: Attempt, index: int) -> bool:
    """Whether anybody has committed slice `index` of the attempt's pack."""
    return _path(attempt.folder.parent, index).exists()


def commits(pack_folder: Path) -> list[Commit]:
    """The commits of a pack, the first slice first."""
    try:
        names = sorted(n for n in os.listdir(pack_folder) if _NAME.fullmatch(n))
    except (FileNotFoundError, NotADirectoryError):
        return []
    keys = [f.name for f in fields(Commit)]
    found = (read_json(pack_folder / name, needs=keys) for name in names)
    return [Commit(**{k: data[k] for k in keys}) for data in found if data is not None]


def _path(pack_folder: Path, index: int) -> Path:
    return pack_folder / f"results-{index:03d}.json"
