"""Plan anew what cannot be trained as it was frozen: other packs for its runs, the old one closed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.errors import UserError
from orchestrator.launch.compose import Experiment
from orchestrator.launch.packs import make_packs
from orchestrator.launch.plan import Plan, Planned
from orchestrator.launch.policy import cause
from orchestrator.launch.state import UNDER_WAY, unfinished_state
from orchestrator.parts.changes import require_unedited
from orchestrator.parts.own import stand_in
from orchestrator.records.attempts import attempts, results
from orchestrator.records.jobs import holders
from orchestrator.records.manifests import read_manifests, read_sweep
from orchestrator.records.packs import Pack, close, read_pack
from orchestrator.records.store import Store
from orchestrator.settings import Execution, Settings, settings


@dataclass(frozen=True)
class Failed:
    """A sweep's failed packs, and how it was submitted last."""

    sweep: str
    settings: Settings
    overrides: list[str]
    packs: list[tuple[Pack, list[Planned]]]
    """Each with its runs of the sweep that have no result."""
    outdated: int
    """Failed runs that this version of the code cannot train: their successors are other runs."""


def failed(store: Store, sweep: str, states: tuple[str, ...] = ("failed",)) -> Failed:
    """The packs of a sweep whose unfinished runs are in one of these states. Raises: UserError."""
    known = read_sweep(store, sweep)
    last: dict[str, Any] = read_manifests(store, sweep)[-1]
    if "settings" not in last:
        raise UserError(f"sweep {sweep}: submitted by an older version; submit it again instead")
    then = settings(last["settings"])
    stand_in(then.execution.parts)
    held = holders(store) or {}
    packs, outdated = [], 0
    for pack_id in dict.fromkeys(m.pack_id for m in known.members.values()):
        tries = attempts(store, pack_id)
        state = unfinished_state(tries, held.get(pack_id))
        if state in UNDER_WAY or state not in states:
            continue
        pack, done = read_pack(store, pack_id), results(tries)
        ids = enumerate(pack.run_ids)
        mine = [i for i, r in ids if r in known.members and r not in done]
        if not mine:
            continue
        now = require_unedited(f"sweep {sweep}, pack {pack_id}", pack)
        if now.run_id != pack.run_ids[0]:
            outdated += len(mine)
            continue
        packs.append((pack, [Planned(pack.trainable(i), state) for i in mine]))
    return Failed(sweep, then, last["overrides"], packs, outdated)


def as_frozen(found: Failed) -> Plan:
    """Train them again in their packs."""
    planned = [p for _, runs in found.packs for p in runs]
    pack_of = {p.run.run_id: pack.pack_id for pack, runs in found.packs for p in runs}
    return Plan(
        found.sweep, found.settings, planned, [pack for pack, _ in found.packs], pack_of, 0
    )  # fmt: skip


def otherwise(store: Store, pack: Pack, execution: Execution) -> Execution:
    """Without what a pack may have failed with: our C++, else compiling; after it ran out of memory
    at half the width."""
    why = cause(attempts(store, pack.pack_id)[-1])[0]
    if why == "memory" and pack.frozen.width > 1:
        return replace(execution, width=pack.frozen.width // 2)
    if pack.frozen.native:
        return replace(execution, native="off")
    return replace(execution, compile="off") if pack.frozen.compile else execution


def anew(store: Store, found: Failed) -> Plan:
    """Plan what is unfinished of them `otherwise`, and close their packs."""
    new: list[Pack] = []
    for pack, runs in found.packs:
        how = replace(found.settings, execution=otherwise(store, pack, found.settings.execution))
        new += make_packs([Experiment(p.run, how) for p in runs], pack.generation + 1)
    pack_of = {run_id: pack.pack_id for pack in new for run_id in pack.run_ids}
    for pack, runs in found.packs:
        close(store, pack.pack_id, sorted({pack_of[p.run.run_id] for p in runs}))
    planned = [p for _, runs in found.packs for p in runs]
    print(f"{len(found.packs)} packs are closed, {len(new)} new ones take over", file=sys.stderr)
    return Plan(found.sweep, found.settings, planned, new, pack_of, 0)
