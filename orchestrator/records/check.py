"""Reads a whole store and says what is wrong with it; with `repair`, mends what can be mended.

Nothing is moved without `repair`. What was set aside before is a loss that was named then, and no
problem any more; a pack.json that is not there is one until its sweep is submitted again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from orchestrator.records import manifests
from orchestrator.records.commits import Commit
from orchestrator.records.damage import aside, set_aside
from orchestrator.records.jobs import JobArray
from orchestrator.records.leftovers import at_work
from orchestrator.records.manifests import Member
from orchestrator.records.packs import NEEDS as PACK
from orchestrator.records.packs import Pack, named, pack_ids
from orchestrator.records.sealed import Damaged, require_whole_zip
from orchestrator.records.store import Store, inspect, whole_lines, write_atomic
from orchestrator.records.trunks import NEEDS as TRUNK

AGAIN = "its runs are trained again by the next submit"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    path: str
    what: str
    """What is wrong with it."""
    means: str
    """What that costs."""
    repaired: bool


Look = Callable[[Path], None]
"""Reads a record. Raises: Damaged."""


def check(store: Store, repair: bool = False) -> list[Problem]:
    """Every problem of a store. Raises: OSError where it can't be read."""
    out = []
    for path, look, means in _records(store):
        try:
            look(path)
        except Damaged as e:
            mended = repair and _mend(store, path, str(e))
            out.append(Problem(str(path), str(e), means, mended))
        except FileNotFoundError:
            continue  # it was replaced or removed while we looked
    for name, members in _in_no_manifest(store).items():
        if repair:
            manifests.rebuild(store, name, members)
        means = f"{len(members)} of its runs are in its packs and in no manifest"
        out.append(Problem(str(store.sweeps / name), "a manifest is lost", means, repair))
    return out


def _in_no_manifest(store: Store) -> dict[str, list[Member]]:
    """Runs whose packs were made for a sweep that has lost a manifest, which no other names."""
    known: dict[str, set[str]] = {}
    for name in manifests.sweep_folders(store):
        rows, lost = set(), manifests.has_lost(store, name)
        for path in manifests.paths(store, name):
            try:
                data = inspect(path, manifests.NEEDS) or {"runs": []}
                rows |= {row[0] for row in data["runs"]}
            except Damaged:
                lost = True
        if lost:
            known[name] = rows
    out: dict[str, list[Member]] = {}
    for pack_id in pack_ids(store) if known else []:
        try:
            data = inspect(store.packs / pack_id / "pack.json", PACK) or {}
        except Damaged:
            continue
        sweep = data.get("sweep", "")
        if sweep in known:
            pack = Pack(pack_id, data)
            members = (_member(pack, i) for i in range(len(pack.run_ids)))
            out.setdefault(sweep, []).extend(m for m in members if m.run_id not in known[sweep])
    return {name: members for name, members in out.items() if members}


def _member(pack: Pack, slot: int) -> Member:
    config = pack.config(slot)
    arm = (config["model"].get("momentum") or {}).get("arm", "")
    return Member(pack.run_ids[slot], pack.pack_id, arm, config["seed"])


def _records(store: Store) -> Iterator[tuple[Path, Look, str]]:
    """Every record, how it is read, and what its loss means."""
    for name in manifests.sweep_folders(store):
        for path in manifests.paths(store, name):
            yield path, _json(*manifests.NEEDS), "what that submission asked for is not known"
    for path in sorted((store.root / "jobs").glob("*.json")):
        keys = [f.name for f in fields(JobArray)]
        yield path, _json(*keys), "its packs may be queued twice; the second finds nothing to do"
    for path in sorted((store.root / "bench").glob("*.jsonl")):
        yield path, _lines, "the time that `plan` tells is less exact"
    for pack_id in pack_ids(store):
        yield from _pack_records(store.packs / pack_id)


def _pack_records(folder: Path) -> Iterator[tuple[Path, Look, str]]:
    commit = [f.name for f in fields(Commit)]
    names = sorted(folder.iterdir())
    if names:  # else a submission died between the folder and the file
        yield folder / "pack.json", _pack, "its runs are planned anew by the next submit"
    for path in names:
        if path.suffix == ".claim":
            yield path, _json("host", "pid"), "that attempt counts as dead"
        elif path.name.startswith("results-") and path.suffix == ".json":
            yield path, _json(*commit), AGAIN
        elif path.name.startswith("trunk-") and path.suffix in (".pt", ".json"):
            look = require_whole_zip if path.suffix == ".pt" else _json(*TRUNK)
            yield path, look, "longer runs of its models start from step 0"
        elif path.name.isdigit() and path.is_dir():
            yield from _attempt_records(path)


def _attempt_records(folder: Path) -> Iterator[tuple[Path, Look, str]]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix == ".jsonl":
            means = AGAIN if path.name == "results.jsonl" else "those evaluations are missing"
            yield path, _lines, means
        elif path.suffix == ".pt":
            means = "training goes on from the one before, or from step 0"
            if path.name.startswith("weights"):
                means = "those runs can't be probed"
            yield path, require_whole_zip, means
        elif path.name == "end.json":
            yield path, _json("status"), "how that attempt ended is not known"
        elif path.suffix == ".json" and path.name != "device.json":
            yield path, _json(), "it is written anew"


def _json(*needs: str) -> Look:
    return lambda path: inspect(path, needs) and None


def _pack(path: Path) -> None:
    if inspect(path, PACK, named(path.parent.name)) is None:
        raise Damaged("not there")


def _lines(path: Path) -> None:
    if path.is_dir():
        raise Damaged("a folder")
    content = path.read_bytes()
    bad = whole_lines(content)[1]
    if bad:
        raise Damaged(f"{len(bad)} damaged lines")
    if content and not content.endswith(b"\n") and _ended(path):
        raise Damaged("its last line is cut off")


def _ended(path: Path) -> bool:
    """Whether nobody is going to finish a line any more."""
    return (path.parent / "end.json").exists()


def _mend(store: Store, path: Path, why: str) -> bool:
    """Set a damaged record aside, of lines the bad ones alone. Whether that is done.

    Not the lines of a pack that has an owner, who may append to them meanwhile.
    """
    try:
        now = os.lstat(path)
    except FileNotFoundError:
        return False
    if path.suffix != ".jsonl" or path.is_dir():
        set_aside(path, why, now)
        return _inode(path) != now.st_ino  # moved by us, or by another who was faster
    if at_work(store, path.parent):
        return False
    content = path.read_bytes()
    cut = content[content.rfind(b"\n") + 1 :]
    bad = [*whole_lines(content[: len(content) - len(cut)])[1], *([cut] if cut else [])]
    if bad:
        write_atomic(aside(path), b"\n".join(bad) + b"\n")
        good = [line for line in content.split(b"\n") if line and line not in bad]
        write_atomic(path, b"".join(line + b"\n" for line in good))
    return True


def _inode(path: Path) -> int | None:
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return None
