"""States that are kept of packs, from which longer runs of their models go on.

PACK/trunk-003.pt is the state of the models in chunk 3, before their longest length cools down;
trunk-003.json says at which step, and by which code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import RunConfig
from orchestrator.records.packs import Pack
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, read_json, write_atomic
from orchestrator.trunks import stable_end

NEEDS = ("step", "code")
_NAME = re.compile(r"trunk-(\d{3,})\.json")


@dataclass(frozen=True)
class KeptTrunk:
    """The state of a chunk of a pack's models."""

    pack: Pack
    chunk: int
    step: int
    """Steps it has taken."""
    code: str
    """Version of the code that trained it: other code does not go on from it."""

    @property
    def models(self) -> list[RunConfig]:
        """A run of each of its models: of the length that it was kept of."""
        width, longest = self.pack.frozen.width, longest_of(self.pack.by_length)
        first = longest * self.pack.models
        places = range(self.chunk * width, min((self.chunk + 1) * width, self.pack.models))
        return [self.pack.runs[first + i] for i in places]


def longest_of(lengths: list[RunConfig]) -> int:
    """Number of the length whose beginning goes on furthest."""
    return max(range(len(lengths)), key=lambda k: stable_end(lengths[k]))


def state_path(pack_folder: Path, chunk: int) -> Path:
    """Where the state of a chunk is kept."""
    return pack_folder / f"trunk-{chunk:03d}.pt"


def write_record(pack_folder: Path, chunk: int, step: int, code: str) -> None:
    """Record of a state, which is there already, its step and its code."""
    path = state_path(pack_folder, chunk).with_suffix(".json")
    write_atomic(path, seal({"step": step, "code": code}))


def kept_trunks(store: Store, packs: Iterable[Pack]) -> list[KeptTrunk]:
    """All of them, in order."""
    out = []
    for pack in packs:
        folder = store.packs / pack.pack_id
        for match in filter(None, map(_NAME.fullmatch, sorted(os.listdir(folder)))):
            chunk = int(match.group(1))
            known = read_json(folder / match.group(), NEEDS)
            if known is not None and state_path(folder, chunk).exists():
                out.append(KeptTrunk(pack, chunk, known["step"], known["code"]))
    return out
