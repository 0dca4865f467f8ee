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
from typing import Any

from orchestrator.errors import UserError
from orchestrator.law import history_of
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, read_json, write_new

_NAME = re.compile(r"(\d+)(-[0-9a-f]+)?\.json")
"""A number; of earlier versions a time in ns and letters, which come before all numbers."""
NEEDS = ("runs", "law", "time")


@dataclass(frozen=True)
class Member:
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


def write_manifest(
    store: Store, name: str, members: list[Member], law: dict[str, Any], about: dict[str, Any]
) -> None:
    """Append the manifest of one submission. `about`: overrides, commit, package versions."""
    folder = store.sweeps / name
    folder.mkdir(parents=True, exist_ok=True)
    rows = [[m.run_id, m.pack_id, m.arm, m.seed] for m in members]
    content = seal({"runs": rows, "law": law, "time": time.time(), **about})
    number = 1 + max((order[1] for n in sweep_folders(store) for order, _ in _listed(store, n)
                      if order[0]), default=0)  # fmt: skip
    while True:
        try:
            write_new(folder / f"{number:06d}.json", content)
            return
        except FileExistsError:
            number += 1  # another submission was faster


def rebuild(store: Store, name: str, members: list[Member]) -> None:
    """Append a manifest of runs that no other names any more, with what is left of the law."""
    laws = law_history(store, name)
    lost = {"submission": "", "overrides": [], "git_commit": None, "code_version": "unknown",
            "packages": {}, "rebuilt": True}  # fmt: skip
    write_manifest(store, name, members, laws[-1]["law"] if laws else {}, lost)


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
            members[row[0]] = Member(*row[:4])
    laws = history_of(manifests)
    return Sweep(name, members, laws[-1]["law"], laws)


def law_history(store: Store, name: str) -> list[dict[str, Any]]:
    """The laws of a sweep so far; [] where it was not submitted yet."""
    return history_of(_whole(store, name))


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
