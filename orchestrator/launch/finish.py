"""Stay until every run of a submission is done, whoever trains it; try again what fails.

A pack under way elsewhere is waited for, and trained here where its owner dies. What failed is
launched again as often as `execution.retries` allows for its cause; what was cancelled is not.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass

from orchestrator.launch.launcher import Launcher
from orchestrator.launch.plan import Plan
from orchestrator.launch.policy import allowed, note
from orchestrator.launch.progress import Progress
from orchestrator.launch.state import under_way
from orchestrator.launch.stop import cancels, stop_hung
from orchestrator.records.attempts import attempts, results
from orchestrator.records.jobs import Holder, holders
from orchestrator.records.packs import Pack, closed, frozen, read_pack
from orchestrator.records.store import Store

LOOK_S = 1.0
"""Seconds between two looks at packs that others train."""
SILENT_S = 600.0
"""Seconds without an answer of squeue after which nothing more is waited for."""


@dataclass(frozen=True)
class Left:
    """A pack whose runs are not all done when a submission returns."""

    pack_id: str
    runs: int
    why: str


class Finish:
    """What a submission knows of its packs while it stays."""

    def __init__(self, store: Store, plan: Plan, place: Launcher) -> None:
        self.store, self.plan, self.place = store, plan, place
        self.execution = plan.settings.execution
        self.wanted: dict[str, set[str]] = {}
        for planned in plan.runs:
            run = planned.run.run_id
            self.wanted.setdefault(plan.pack_of[run], set()).add(run)
        self.packs = {p.pack_id: p for p in plan.launch}
        self.before = {p: len(attempts(store, p)) for p in self.wanted}
        self.cancels = cancels(store, plan.sweep)
        self.launched: set[str] = set()
        self.failures: Counter[tuple[str, str]] = Counter()
        self.given_up: dict[str, str] = {}
        self.answered = time.monotonic()

    def __call__(self) -> list[Left]:
        """What is left undone; [] where every run is done."""
        while True:
            left = [p for p in self.wanted if not self._done(p)]
            if not left:
                return []
            if cancels(self.store, self.plan.sweep) > self.cancels:
                return [self._left(p, "the sweep was cancelled meanwhile") for p in left]
            held = self._held()
            if held is not None:
                self.answered = time.monotonic()
            elif time.monotonic() - self.answered > SILENT_S:
                return [self._left(p, self.given_up.get(p, "squeue does not answer")) for p in left]
            busy = [p for p in left if self._busy(p, held)]
            go = [] if held is None else [p for p in left if p not in busy and self._may(p)]
            if go:
                self.launched.update(go)
                self.place.launch(self.store, self.plan.sweep, [self._pack(p) for p in go])
            elif busy or held is None:
                self._watch(busy)
            else:
                return [self._left(p, self.given_up[p]) for p in left]

    def _held(self) -> dict[str, Holder] | None:
        """Who in Slurm's queue has each pack; None where a queue that counts is silent."""
        held = holders(self.store, ending=True)
        if held is None and not self.place.queues:
            return {}  # this machine trains whatever Slurm is silent about: claims protect
        return held

    def _done(self, pack_id: str) -> bool:
        return self.wanted[pack_id] <= set(results(attempts(self.store, pack_id)))

    def _busy(self, pack_id: str, held: dict[str, Holder] | None) -> bool:
        """Whether somebody is at work on a pack, or is going to be."""
        return under_way(attempts(self.store, pack_id), (held or {}).get(pack_id))

    def _may(self, pack_id: str) -> bool:
        """Whether to launch a pack that nobody is at work on."""
        if pack_id in self.given_up:
            return False
        if closed(self.store, pack_id):
            self.given_up[pack_id] = "its runs are in other packs by now; submit again"
            return False
        if not frozen(self.store, pack_id):
            self.given_up[pack_id] = "its pack.json is lost; submit again"
            return False
        tries = attempts(self.store, pack_id)[self.before[pack_id] :]
        if not tries and pack_id not in self.launched:
            return True
        self.before[pack_id] += len(tries)
        last = tries[-1] if tries else None
        why, words = note(self.store, pack_id, last)
        if last is not None:
            stop_hung(last)
        self.failures[pack_id, why] += 1
        number = self.failures[pack_id, why]
        if number <= allowed(self.execution, why):
            print(f"pack {pack_id}: {why}: {words}; trying again ({number} of "
                  f"{allowed(self.execution, why)})", file=sys.stderr, flush=True)  # fmt: skip
            return True
        tried = f"tried {number} times, " if number > 1 else ""
        self.given_up[pack_id] = f"given up: {tried}{why}: {words}"
        if self._pack(pack_id).frozen.native and "kernel" in words:
            sweep = self.plan.sweep
            self.given_up[pack_id] += f"; `orchestrator retry {sweep} --replan` trains without it"
        return False

    def _pack(self, pack_id: str) -> Pack:
        if pack_id not in self.packs:
            self.packs[pack_id] = read_pack(self.store, pack_id)
        return self.packs[pack_id]

    def _watch(self, busy: list[str]) -> None:
        """Look on until one of the packs that others train changes."""
        open_runs = sum(len(self.wanted[p]) for p in busy)
        print(f"{open_runs} runs are under way elsewhere: waiting for them", file=sys.stderr)
        with Progress(self.store, [self._pack(p) for p in busy]) as progress:
            while True:
                progress.update()
                time.sleep(LOOK_S)
                held = self._held()
                if held is None and time.monotonic() - self.answered < SILENT_S:
                    continue
                if not all(self._busy(p, held) and not self._done(p) for p in busy) or not busy:
                    return

    def _left(self, pack_id: str, why: str) -> Left:
        found = set(results(attempts(self.store, pack_id)))
        return Left(pack_id, len(self.wanted[pack_id] - found), why)
