"""What a submission would do: which runs are done, which would train, in which packs, and why.

Nothing is written. A run that belongs to a frozen pack is trained in that pack, so that it comes
out bit for bit as it would have at the first try; what a closed pack left unfinished is new work.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from orchestrator.config import RunConfig
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.packs import make_packs, not_gone_on_from
from orchestrator.launch.state import DONE, UNDER_WAY, free_of_hung, unfinished_state
from orchestrator.parts.changes import changed as changes
from orchestrator.parts.check import check_parts
from orchestrator.records.attempts import Attempt, attempts, results
from orchestrator.records.jobs import holders
from orchestrator.records.manifests import Member
from orchestrator.records.packs import Pack, all_packs, closed
from orchestrator.records.provenance import code_version
from orchestrator.records.store import Store
from orchestrator.records.trunks import kept_trunks
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Planned:
    """One run and what is to be done about it."""

    run: RunConfig
    state: str
    """completed, diverged, running, queued (in Slurm), or why it trains: new, failed, hung, dead,
    stopped, waiting, rerun, changed (an earlier version of a component trained it)."""


@dataclass(frozen=True)
class Plan:
    """The whole plan of one submission."""

    sweep: str
    settings: Settings
    runs: list[Planned]
    launch: list[Pack]
    """Packs to train, frozen before or new, the dearest first."""
    pack_of: dict[str, str]
    """Pack of every run, by run id."""
    other_code: int
    """Finished runs that other code (same semantic versions) trained."""
    restarted: int = 0
    """Packs to train whose last checkpoint other code (same semantic versions) wrote: not used."""
    changed: dict[str, int] = field(default_factory=dict)
    """"model 1 → 2", "my.parts (operator)" and so on, with the number of runs that train anew for
    it."""
    silent: bool = False
    """squeue did not answer although jobs were submitted: what waits in its queue is not known."""
    closes: dict[str, list[str]] = field(default_factory=dict)
    """Packs that are trained no more, each with those that take over its runs (`retry --replan`)."""
    unused_trunks: dict[str, int] = field(default_factory=dict)
    """Why kept trunks whose models are to be trained are not gone on from, with their number."""

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(p.state for p in self.runs))

    @property
    def to_train(self) -> list[RunConfig]:
        return [p.run for p in self.runs if p.state not in (*DONE, *UNDER_WAY)]

    @property
    def members(self) -> list[Member]:
        """The manifest's rows."""
        return [
            Member(r.run_id, self.pack_of[r.run_id], r.arm, r.seed)
            for r in (p.run for p in self.runs)
        ]


def make_plan(store: Store, sweep: str, experiments: list[Experiment], rerun: bool = False) -> Plan:
    """Plan a submission against what the store knows.

    Raises: UserError where a part of the user's does not pass its trial.
    """
    check_parts(experiments)
    unique: dict[str, Experiment] = {}
    for e in experiments:
        unique.setdefault(e.run.run_id, e)
    packs = all_packs(store)
    home, left = homes(store, packs)
    trained_as = {m["config_id"]: p.versions for p in packs for m in p.data["members"]}
    answer = holders(store)
    theirs = {home[r].pack_id: home[r] for r in unique if r in home}
    tries_of = {pack_id: attempts(store, pack_id) for pack_id in theirs}
    held = free_of_hung(answer or {}, tries_of)  # where squeue is silent, claims still protect
    states: dict[str, str] = {}
    other_code = 0
    for pack in theirs.values():
        tries = tries_of[pack.pack_id]
        found = results(tries)
        codes = {a.number: a.claim["code_version"] for a in tries}
        open_runs = not set(pack.run_ids) <= set(found)
        unfinished = unfinished_state(tries, held.get(pack.pack_id)) if open_runs else ""
        for run_id in pack.run_ids:
            if run_id in unique and home[run_id] is pack:
                row = found.get(run_id)
                states[run_id] = row["status"] if row else unfinished
                if row and codes.get(row["attempt"], code_version()) != code_version():
                    other_code += 1
    changed: Counter[str] = Counter()
    for run_id, e in unique.items():
        if run_id not in states:
            older = None if run_id in left else trained_as.get(e.run.config_id)
            states[run_id] = "changed" if older else "new"
            changed.update(changes(older, e.run) if older else [])
        elif rerun and states[run_id] in DONE:
            states[run_id] = "rerun"
    fresh = [e for r, e in unique.items() if states[r] in ("new", "changed")]
    again = [e for r, e in unique.items() if states[r] == "rerun"]
    kept = kept_trunks(store, packs) if fresh else []
    generation = 1 + max((home[e.run.run_id].generation for e in again), default=-1)
    new = [
        pack for g in sorted({left.get(e.run.run_id, 0) for e in fresh})
        for pack in make_packs([e for e in fresh if left.get(e.run.run_id, 0) == g], g, kept)
    ] + make_packs(again, generation)  # fmt: skip
    waiting = ("failed", "hung", "dead", "stopped", "waiting")
    old = {home[r].pack_id: home[r] for r in unique if states[r] in waiting}
    restarted = sum(_outdated(attempts(store, pack_id)) for pack_id in old)
    pack_of = {r: home[r].pack_id for r in unique if r in home}
    pack_of |= {r: pack.pack_id for pack in new for r in pack.run_ids}
    return Plan(
        sweep, experiments[0].settings,
        [Planned(e.run, states[r]) for r, e in unique.items()],
        [*old.values(), *new], pack_of, other_code, restarted, dict(changed), answer is None,
        unused_trunks=not_gone_on_from(fresh, kept),
    )  # fmt: skip


def _outdated(tries: list[Attempt]) -> bool:
    """Whether the checkpoint that the next attempt finds was written by other code."""
    kept = [a for a in tries if a.checkpoint.exists()]
    return bool(kept) and kept[-1].claim["code_version"] != code_version()


def homes(store: Store, packs: list[Pack]) -> tuple[dict[str, Pack], dict[str, int]]:
    """The pack that counts for each run (the latest generation); and for those runs that a closed
    pack left unfinished, and no other has, the generation of their next one."""
    home: dict[str, Pack] = {}
    left: dict[str, int] = {}
    for pack in packs:
        over = closed(store, pack.pack_id)
        done = results(attempts(store, pack.pack_id)) if over else {}
        for run_id in pack.run_ids:
            if over and run_id not in done:
                left[run_id] = max(left.get(run_id, 0), pack.generation + 1)
            elif run_id not in home or home[run_id].generation < pack.generation:
                home[run_id] = pack
    return home, left
