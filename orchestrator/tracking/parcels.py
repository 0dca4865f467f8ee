"""All that our records say of a sweep, as W&B runs ready to be sent: what a live sink would send.

A finished run's rows are those of the attempt whose result counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.records.attempts import Attempt, attempts, results
from orchestrator.records.manifests import Member, Sweep
from orchestrator.records.packs import Pack, read_pack
from orchestrator.records.store import Store, read_lines
from orchestrator.tracking.content import (
    Ending,
    Identity,
    ended,
    pack_ending,
    pack_identity,
    pack_row,
    run_ending,
    run_identity,
    run_row,
    unfinished_ending,
)
from orchestrator.tracking.marker import sending
from orchestrator.tracking.whole import finished, sweep_ending, sweep_identity, sweep_row


@dataclass(frozen=True)
class Parcel:
    """One W&B run, whole as far as our records go."""

    identity: Identity
    rows: list[tuple[int, dict[str, Any]]]
    ending: Ending


@dataclass(frozen=True)
class Parcels:
    """What a sweep's records hold for W&B."""

    ready: list[Parcel]
    training: int
    """Runs left out because a job is at work on them, or sends them itself."""
    untrained: int
    """Runs of which nothing is recorded yet."""


def parcels(store: Store, sweep: Sweep, granularity: str) -> Parcels:
    """Everything to be sent of a sweep."""
    if granularity == "sweep":
        return _whole(store, sweep)
    by_pack: dict[str, list[Member]] = {}
    for member in sweep.members.values():
        by_pack.setdefault(member.pack_id, []).append(member)
    ready: list[Parcel] = []
    training = untrained = 0
    for pack_id, members in by_pack.items():
        tries = attempts(store, pack_id)
        if any(sending(a) for a in tries) or (tries and tries[-1].living()):
            training += len(members)
            continue
        if not tries:
            untrained += len(members)
            continue
        pack = read_pack(store, pack_id)
        some = (
            _of_runs(pack, tries, members, sweep.name)
            if granularity == "run"
            else _of_pack(pack, tries, sweep.name)
        )
        ready.extend(some)
        untrained += len(members) - len(some) if granularity == "run" else 0
    return Parcels(ready, training, untrained)


def _of_runs(pack: Pack, tries: list[Attempt], members: list[Member], sweep: str) -> list[Parcel]:
    found = results(tries)
    curves = {a.number: read_lines(a.curves) for a in tries}
    out = []
    for member in members:
        slot, result = pack.run_ids.index(member.run_id), found.get(member.run_id)
        counting = [result["attempt"]] if result else list(curves)
        rows: dict[int, dict[str, Any]] = {}
        for number in counting:
            for row in curves.get(number, []):
                own = run_row(row, slot)
                if own is not None:
                    rows.setdefault(*own)
        if not rows:
            continue
        ending = run_ending(result) if result else unfinished_ending(tries[-1].end())
        identity = run_identity(pack, slot, sweep, member)
        out.append(Parcel(identity, sorted(rows.items()), ended(ending, max(rows))))
    return out


def _whole(store: Store, sweep: Sweep) -> Parcels:
    found = finished(store, sweep)
    left = len(sweep.members) - len(found)
    if not found:
        return Parcels([], 0, left)
    parcel = Parcel(sweep_identity(sweep), [sweep_row(found)], sweep_ending(sweep, found))
    return Parcels([parcel], 0, left)


def _of_pack(pack: Pack, tries: list[Attempt], sweep: str) -> list[Parcel]:
    found = results(tries)
    rows: dict[int, dict[str, Any]] = {}
    for attempt in tries:
        for row in read_lines(attempt.curves):
            rows.setdefault(*pack_row(row, pack))
    if not rows:
        return []
    whole = set(pack.run_ids) <= set(found)
    ending = pack_ending(list(found.values())) if whole else unfinished_ending(tries[-1].end())
    return [Parcel(pack_identity(pack, sweep), sorted(rows.items()), ended(ending, max(rows)))]
