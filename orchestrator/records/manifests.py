"""Manifests: what each submission of a sweep asked for. A sweep is the union of its manifests."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import UserError
from orchestrator.law import history_of
from orchestrator.records.store import Store, dumps, read_json, write_new


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
    stamp = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
    rows = [[m.run_id, m.pack_id, m.arm, m.seed] for m in members]
    data = {"runs": rows, "law": law, "time": time.time(), **about}
    write_new(folder / f"{stamp}.json", dumps(data))


def sweep_names(store: Store) -> list[str]:
    """Names of the sweeps that the store has seen, the latest submitted last."""
    if not store.sweeps.is_dir():
        return []
    folders = [f for f in store.sweeps.iterdir() if f.is_dir()]
    return [f.name for f in sorted(folders, key=lambda f: f.stat().st_mtime)]


def read_sweep(store: Store, name: str) -> Sweep:
    """The union of a sweep's manifests. Raises: UserError where the store has none."""
    members: dict[str, Member] = {}
    manifests = read_manifests(store, name)
    for data in manifests:
        for row in data["runs"]:
            members[row[0]] = Member(*row)
    laws = history_of(manifests)
    return Sweep(name, members, laws[-1]["law"], laws)


def law_history(store: Store, name: str) -> list[dict[str, Any]]:
    """The laws of a sweep so far; [] where it was not submitted yet."""
    return history_of(read_json(p) for p in sorted((store.sweeps / name).glob("[0-9]*.json")))


def read_manifests(store: Store, name: str) -> list[dict[str, Any]]:
    """A sweep's manifests as written, the first submission first.

    Raises: UserError where the store has none.
    """
    paths = sorted((store.sweeps / name).glob("[0-9]*.json"))
    if not paths:
        known = ", ".join(sweep_names(store)) or "none"
        raise UserError(f"sweep {name}: not submitted yet in store {store.root} (known: {known})")
    return [read_json(path) for path in paths]
