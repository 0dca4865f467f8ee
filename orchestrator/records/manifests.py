"""Manifests: what each submission of a sweep asked for. A sweep is the union of its manifests.

They are numbered through the whole store, each number created exclusively in its sweep's folder:
no clock says which is the last.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.errors import UserError
from orchestrator.law import LOST, entry, history_of
from orchestrator.records.packs import all_packs
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, read_json, write_numbered

_NAME = re.compile(r"(\d+)(-[0-9a-f]+)?\.json")
"""A number; of earlier versions a time in ns and letters, which come before all numbers."""
NEEDS = ("runs", "law", "time")


class Member(NamedTuple):
    """A run of a sweep, with the names the sweep gives it."""

    run_id: str
    pack_id: str
    arm: str
    seed: int


@dataclass(frozen=True)
class Sweep:
    """A sweep as its manifests have it."""

    name: str
    members: dict[str, Member]
    """By run id; a later manifest wins."""
    law: dict[str, Any]
    """The primary analysis: the first manifest's, or the last that `--new-law` recorded."""
    laws: list[dict[str, Any]]
    """How it came to that (`orchestrator.law.history_of`)."""


def new_manifest(
    store: Store, name: str, members: list[Member], law: dict[str, Any], about: dict[str, Any]
) -> dict[str, Any]:
    """The manifest of one submission, with the laws of all so far.

    `about`: overrides, commit, package versions, and whether it is a `new_law`.
    """
    rows = [[m.run_id, m.pack_id, m.arm, m.seed] for m in members]
    made = {"runs": rows, "law": law, "time": time.time(), **about}
    laws = law_history(store, name)
    if not laws or about.get("new_law"):
        laws.append(entry(made, 1 + len(paths(store, name))))
    return {**made, "laws": laws}


def write_manifest(store: Store, name: str, manifest: dict[str, Any]) -> None:
    """Append a manifest to its sweep."""
    folder = store.sweeps / name
    folder.mkdir(parents=True, exist_ok=True)
    last = max((order[1] for n in sweep_folders(store) for order, _ in _listed(store, n)
                if order[0]), default=0)  # fmt: skip
    write_numbered(folder, seal(manifest), last + 1)


def rebuild(store: Store, name: str, members: list[Member]) -> None:
    """Append a manifest of runs that no other names any more, with what is left of the law."""
    laws = law_history(store, name)
    about = {"submission": "", "overrides": [], "git_commit": None, "code_version": "unknown",
             "packages": {}, "rebuilt": True}  # fmt: skip
    manifest = new_manifest(store, name, members, laws[-1]["law"], about)
    write_manifest(store, name, manifest)


def sweep_names(store: Store) -> list[str]:
    """Names of the sweeps that the store has seen, the latest submitted last."""
    last = {name: _listed(store, name) for name in sweep_folders(store)}
    return sorted((n for n in last if last[n]), key=lambda n: (last[n][-1][0], n))


def read_sweep(store: Store, name: str) -> Sweep:
    """The union of a sweep's manifests. Raises: UserError where the store has none."""
    members: dict[str, Member] = {}
    manifests = read_manifests(store, name)
    for data in manifests:
        for row in data["runs"]:
            members[row[0]] = Member._make(row[:4])
    laws = law_history(store, name, manifests)
    return Sweep(name, members, laws[-1]["law"], laws)


def law_history(
    store: Store, name: str, manifests: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """The laws of a sweep so far; [] where it was not submitted yet.

    Where a manifest is lost, its packs say them, too; where those do not, the first law is LOST.
    `manifests`: the sweep's, where they have been read already.
    """
    records = _whole(store, name) if manifests is None else list(manifests)
    if not has_lost(store, name):
        return history_of(records)
    mine = (p.data for p in all_packs(store) if p.data.get("sweep") == name)
    return history_of([*records, *(data for data in mine if "laws" in data)]) or [LOST]


def read_manifests(store: Store, name: str) -> list[dict[str, Any]]:
    """A sweep's manifests as written, the first submission first; damaged ones are left out.

    Raises: UserError where the store has none.
    """
    whole = _whole(store, name)
    if whole:
        return whole
    if has_lost(store, name):
        folder = store.sweeps / name
        raise UserError(f"sweep {name}: its manifests in {folder} are damaged; submit it again, or "
                        "rebuild them from its packs with `orchestrator check --repair`")  # fmt: skip
    known = ", ".join(sweep_names(store)) or "none"
    raise UserError(f"sweep {name}: not submitted yet in store {store.root} (known: {known})")


def _whole(store: Store, name: str) -> list[dict[str, Any]]:
    found = (read_json(path, NEEDS) for path in paths(store, name))
    return [data for data in found if data is not None]


def has_lost(store: Store, name: str) -> bool:
    """Whether a manifest of the sweep was damaged, and set aside."""
    return any(".damaged" in file for file in _files(store.sweeps / name))


def paths(store: Store, name: str) -> list[Path]:
    """A sweep's manifests, the first submission first."""
    return [store.sweeps / name / file for _, file in _listed(store, name)]


def sweep_folders(store: Store) -> list[str]:
    """Sweeps that have a folder, also those without a manifest, sorted."""
    return sorted(name for name in _files(store.sweeps) if (store.sweeps / name).is_dir())


def _listed(store: Store, name: str) -> list[tuple[tuple[bool, int, str], str]]:
    """(order, file name) of a sweep's manifests, the first submission first."""
    matches = (_NAME.fullmatch(file) for file in _files(store.sweeps / name))
    return sorted(
        ((m.group(2) is None, int(m.group(1)), m.group(2) or ""), m.group()) for m in matches if m
    )


def _files(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
