"""Plan anew what cannot be trained as it was frozen: other packs for its runs, the old one closed.

The new packs are frozen first, then named by a manifest, and only then the old ones are closed: of
whatever a death in between leaves, the latest pack of a run counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from orchestrator.errors import UserError
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.packs import make_packs
from orchestrator.launch.plan import Plan, Planned, homes
from orchestrator.launch.policy import cause
from orchestrator.launch.state import unfinished_state
from orchestrator.parts.changes import require_unedited
from orchestrator.parts.own import stand_in
from orchestrator.records.attempts import attempts, results
from orchestrator.records.jobs import holders
from orchestrator.records.manifests import read_manifests, read_sweep
from orchestrator.records.packs import Pack, all_packs
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
    closed: int
    """Runs that a closed pack left unfinished, and no other has: new work for `submit`."""


def failed(store: Store, sweep: str) -> Failed:
    """The packs of a sweep that have failed, and those that a `retry --replan` which died has made
    and nobody has begun. Raises: UserError."""
    known = read_sweep(store, sweep)
    last: dict[str, Any] = read_manifests(store, sweep)[-1]
    if "settings" not in last:
        raise UserError(f"sweep {sweep}: submitted by an older version; submit it again instead")
    then = settings(last["settings"])
    stand_in(then.execution.parts)
    held = holders(store) or {}
    home, left = homes(store, all_packs(store))
    packs, outdated = [], 0
    for pack in {home[r].pack_id: home[r] for r in known.members if r in home}.values():
        tries = attempts(store, pack.pack_id)
        done, state = results(tries), unfinished_state(tries, held.get(pack.pack_id))
        ids = enumerate(pack.run_ids)
        mine = [i for i, r in ids if r in known.members and home[r] is pack and r not in done]
        named = any(known.members[pack.run_ids[i]].pack_id == pack.pack_id for i in mine)
        if not mine or not (state == "failed" or (state == "waiting" and not named)):
            continue
        now = require_unedited(f"sweep {sweep}, pack {pack.pack_id}", pack)
        if now.run_id != pack.run_ids[0]:
            outdated += len(mine)
            continue
        packs.append((pack, [Planned(pack.trainable(i), state) for i in mine]))
    lost = sum(r not in home for r in known.members if r in left)
    return Failed(sweep, then, last["overrides"], packs, outdated, lost)


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
    """Plan what is unfinished of them `otherwise`, in packs that take over from theirs."""
    new: list[Pack] = []
    for pack, runs in found.packs:
        if runs[0].state == "waiting":
            new.append(pack)
            continue
        how = replace(found.settings, execution=otherwise(store, pack, found.settings.execution))
        new += make_packs([Experiment(p.run, how) for p in runs], pack.generation + 1)
    pack_of = {run_id: pack.pack_id for pack in new for run_id in pack.run_ids}
    planned = [p for _, runs in found.packs for p in runs]
    closes = {
        pack.pack_id: sorted({pack_of[p.run.run_id] for p in runs})
        for pack, runs in found.packs if runs[0].state != "waiting"
    }  # fmt: skip
    return Plan(found.sweep, found.settings, planned, new, pack_of, 0, closes=closes)
