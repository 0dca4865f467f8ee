"""Frozen packs: what is trained together and how, fixed at the first submission.

Whatever can move the last bits of a result (members and their slots, slice width, compile mode,
threads) is read from here by every later attempt, on whatever machine.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.config import RunConfig, run_config
from orchestrator.errors import UserError
from orchestrator.parts.recorded import facts
from orchestrator.records.sealed import ends_sound, seal
from orchestrator.records.store import Store, read_json, write_new

NEEDS = ("members", "frozen", "generation", "versions", "base")
_ID = re.compile(r"[0-9a-f]{16}")


class PackLost(UserError):
    """A pack that can't be read: `submit` plans its runs anew."""


@dataclass(frozen=True)
class Frozen:
    """How a pack is trained, for ever."""

    compile: bool
    """Whether the step is compiled."""
    native: bool
    """Whether a CPU trains by our C++, where that serves the shape; it is then not compiled."""
    threads: int
    """CPU threads."""
    width: int
    """Runs a call of the step; the last slice is padded with copies of its last member."""
    lengths: int = 1
    """Lengths in which each of its models is trained. They share their beginnings (orchestrator.trunks),
    and the members of each length follow those of the one before, in one order."""


@dataclass(frozen=True)
class Pack:
    """A frozen pack as it stands in pack.json."""

    pack_id: str
    data: dict[str, Any]

    @property
    def run_ids(self) -> list[str]:
        return [m["run_id"] for m in self.data["members"]]

    @property
    def frozen(self) -> Frozen:
        return Frozen(**self.data["frozen"])

    @property
    def generation(self) -> int:
        """How often its runs were planned anew (`--rerun`)."""
        return self.data["generation"]

    @property
    def versions(self) -> dict[str, int]:
        return self.data["versions"]

    @property
    def trunk(self) -> dict[str, Any] | None:
        """Where its models go on from: {"pack", "chunks" (of that pack, one for each of its own), "step"};
        None: from the beginning."""
        return self.data.get("trunk")

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept of the user's parts that its runs name (parts.recorded.facts)."""
        return self.data.get("facts", {})

    def config(self, member: int) -> dict[str, Any]:
        """The plain config of one member."""
        tree = copy.deepcopy(self.data["base"])
        for key, value in self.data["members"][member]["set"].items():
            assign(tree, key, value)
        return tree

    @cached_property
    def runs(self) -> list[RunConfig]:
        """The members as typed configs with the ids on record, in the order of their slots.

        To be read: nobody's part is imported, so those that name one can't be trained.
        """
        return [self._recorded(i) for i in range(len(self.data["members"]))]

    def _recorded(self, member: int) -> RunConfig:
        run = run_config(self.config(member), self.facts)
        ids = self.data["members"][member]
        run.__dict__.update(
            run_id=ids["run_id"], config_id=ids["config_id"], versions=self.versions,
            shape_id=self.data["shape_id"],
        )  # fmt: skip
        return run

    def trainable(self, member: int) -> RunConfig:
        """A member as this code and the user's parts make it; its id may be another by now.

        Raises: UserError where a part can't be imported, or takes other settings than on record.
        """
        return run_config(self.config(member))

    @property
    def models(self) -> int:
        """How many runs it has of each length."""
        return len(self.run_ids) // self.frozen.lengths

    @cached_property
    def by_length(self) -> list[RunConfig]:
        """One run of each length, for what its other runs share: their steps and price."""
        places = range(0, len(self.run_ids), self.models)
        return [self.runs[i] if "runs" in self.__dict__ else self._recorded(i) for i in places]

    @cached_property
    def first(self) -> RunConfig:
        """The first member, for what all of them share: their shape, budget and price."""
        return self.by_length[0]


def assign(tree: dict[str, Any], key: str, value: Any) -> None:
    """tree["a"]["b"] = value for the key "a.b"."""
    *parents, last = key.split(".")
    for parent in parents:
        tree = tree[parent]
    tree[last] = value


def new_pack(
    runs: list[RunConfig], frozen: Frozen, generation: int = 0, trunk: dict[str, Any] | None = None
) -> Pack:
    """A pack of runs of one shape; its id is a hash of all that is frozen. `trunk`: as Pack.trunk."""
    base = runs[0].as_dict()
    leaves = runs[0].leaves()
    members = []
    for run in runs:
        differs = {k: v for k, v in run.leaves().items() if v != leaves[k]}
        members.append({"run_id": run.run_id, "config_id": run.config_id, "set": differs})
    data = {
        "members": members,
        "frozen": vars(frozen),
        "generation": generation,
        "versions": runs[0].versions,
        "shape_id": runs[0].shape_id,
        "base": base,
        **({"facts": kept} if (kept := facts(runs[0])) else {}),
        **({"trunk": trunk} if trunk else {}),
    }
    pack = Pack(identity(data), data)
    pack.__dict__["runs"] = list(runs)  # typed already: nobody builds them again
    return pack


def identity(data: dict[str, Any]) -> str:
    """The id of a pack: a hash of its runs, of how they are trained, and of its generation."""
    key = [[m["run_id"] for m in data["members"]], data["frozen"], data["generation"]]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]


def freeze(store: Store, pack: Pack, sweep: str = "", laws: Sequence[dict[str, Any]] = ()) -> None:
    """Write pack.json; one that stands already is the same by its id and is left alone.

    `sweep`, `laws`: the one that it is made for, and its laws so far, from which a lost manifest can
    be rebuilt.
    """
    folder = store.packs / pack.pack_id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pack.json"
    if not path.exists():
        try:
            kept = {"sweep": sweep, "laws": list(laws), "pack": pack.pack_id}
            write_new(path, seal({**pack.data, **kept}))
        except FileExistsError:
            pass  # another submission froze the same pack a moment ago


def close(store: Store, pack_id: str, successors: list[str]) -> None:
    """Have nobody train a pack any more: its unfinished runs are in other packs now."""
    try:
        write_new(store.packs / pack_id / "closed.json", seal({"successors": successors}))
    except FileExistsError:
        pass  # by another one's `retry --replan`


def closed(store: Store, pack_id: str) -> bool:
    """Whether a pack was closed."""
    return (store.packs / pack_id / "closed.json").exists()


def frozen(store: Store, pack_id: str) -> bool:
    """Whether a pack's record is there."""
    return (store.packs / pack_id / "pack.json").exists()


def read_pack(store: Store, pack_id: str) -> Pack:
    """The frozen pack. Raises: PackLost."""
    data = read_json(store.packs / pack_id / "pack.json", NEEDS, named(pack_id))
    if data is None:
        raise PackLost(f"{store.packs / pack_id}/pack.json: lost; submit its sweep again")
    return Pack(pack_id, data)


def require_pack(store: Store, pack_id: str) -> None:
    """Check that a pack's record is whole, without parsing it. Raises: PackLost."""
    try:
        content = (store.packs / pack_id / "pack.json").read_bytes()
    except OSError:
        content = b""
    if not ends_sound(content, {"pack": pack_id}):
        read_pack(store, pack_id)  # damaged, or of an earlier version


def all_packs(store: Store) -> list[Pack]:
    """Every frozen pack of the store; a damaged one is set aside, and left out."""
    out = []
    for pack_id in pack_ids(store):
        data = read_json(store.packs / pack_id / "pack.json", NEEDS, named(pack_id))
        if data is not None:  # a submission that died between the folder and the file
            out.append(Pack(pack_id, data))
    return out


def named(pack_id: str) -> Callable[[dict[str, Any]], bool]:
    """Whether what a pack.json holds is the pack of this id."""
    return lambda data: identity(data) == pack_id


def pack_ids(store: Store) -> list[str]:
    """Names of the pack folders, sorted."""
    try:
        names = os.listdir(store.packs)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if _ID.fullmatch(name))
