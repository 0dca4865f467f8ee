"""Random schedules of claims, commits, takeovers, stops and continues, on the real functions.

Owners are simulated: each has a machine, a boot, a process and perhaps a start of a Slurm task, and
liveness.py asks the simulation instead of this machine. Everything else is the real thing, over a
real folder; a takeover may come between any two file operations of another owner.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.records import attempts as attempts_module
from orchestrator.records import liveness
from orchestrator.records.attempts import Attempt, attempts, claim, end, results
from orchestrator.records.commits import commit, is_committed
from orchestrator.records.store import Store, write_atomic

SLICES, RUNS = 3, 2
PACK = "0" * 16
MACHINES = ("a", "b", "c")
STALL_S = 1000.0


@dataclass
class Owner:
    """A process that trains the pack."""

    machine: str
    boot: int
    pid: int
    restart: int | None
    """Start of the Slurm task that it is; None outside Slurm."""
    attempt: Attempt | None = None
    finished: set[str] = field(default_factory=set)
    slice: int = 0
    dead: bool = False
    stopped: bool = False


class Schedule(RuleBasedStateMachine):
    """One pack, three machines, any number of owners, and a reader that remembers what it read."""

    def __init__(self) -> None:
        super().__init__()
        root = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.root = Path(tempfile.mkdtemp(prefix="schedule-", dir=root))
        self.store = Store(self.root)
        (self.store.packs / PACK).mkdir(parents=True)
        self.boots = dict.fromkeys(MACHINES, 0)
        self.owners: list[Owner] = []
        self.clock = 1e9
        self.read: dict[str, dict] = {}
        self.committed: dict[int, list[int]] = {}
        self.interrupting = False
        self.now: Owner | None = None
        self.patches = [
            patch.object(liveness, "boot_id", lambda: f"{self.now.machine}{self.now.boot}"),
            patch.object(liveness, "_place", lambda: self.now.machine),
            patch.object(liveness.socket, "gethostname", lambda: self.now.machine),
            patch.object(liveness, "process_start", self.process_start),
            patch.object(liveness, "_slurm", self.slurm),
            patch.object(liveness, "queued", lambda names: None),  # squeue is silent
            patch.object(liveness, "age_s", self.age_s),
            patch.object(liveness.os, "getpid", lambda: self.now.pid),
        ]
        for p in self.patches:
            p.start()

    def teardown(self) -> None:
        for p in self.patches:
            p.stop()
        shutil.rmtree(self.root)

    # What the simulation answers in the place of this machine.

    def process_start(self, pid: int) -> str | None:
        there = [o for o in self.owners if o.pid == pid and not o.dead]
        alive = there and there[0].machine == self.now.machine
        return str(pid) if alive and self.boots[there[0].machine] == there[0].boot else None

    def slurm(self) -> dict | None:
        if self.now.restart is None:
            return None
        return {"name": "t-1", "job": 1, "task": 0, "restart": self.now.restart, "node": ""}

    def age_s(self, path: Path) -> float:
        try:
            return self.clock - os.stat(path).st_mtime
        except FileNotFoundError:
            return float("inf")

    def beat(self, owner: Owner) -> None:
        write_atomic(owner.attempt.progress, b"{}\n")
        os.utime(owner.attempt.progress, (self.clock, self.clock))

    # What can happen.

    @initialize()
    def begin(self) -> None:
        self.start("a", True, False)

    @rule(machine=st.sampled_from(MACHINES), requeued=st.booleans(), between=st.booleans())
    def start(self, machine: str, requeued: bool, between: bool) -> None:
        """A process begins and tries to claim the pack; `between`: another one does so as well,
        between its look at the records and its claim."""
        starts = [o.restart for o in self.owners if o.restart is not None]
        restart = 1 + max(starts, default=-1) if requeued else None
        me = Owner(machine, self.boots[machine], len(self.owners) + 1, restart)
        self.owners.append(me)

        def write_new(path: Path, content: bytes) -> Path:
            if between and not self.interrupting:
                self.interrupting = True
                with patch.object(attempts_module, "write_new", real):
                    self.start(MACHINES[(MACHINES.index(machine) + 1) % 3], False, False)
                self.interrupting, self.now = False, me
            return real(path, content)

        real = attempts_module.write_new
        self.now = me
        with patch.object(attempts_module, "write_new", write_new):
            me.attempt = claim(self.store, PACK, {"stall_s": STALL_S})
        if me.attempt is None:
            me.dead = True
            return
        self.beat(me)
        before = [a for a in attempts(self.store, PACK) if a.number < me.attempt.number]
        me.finished = set(results(before))

    def able(self) -> list[Owner]:
        return [o for o in self.owners if not o.dead and not o.stopped]

    def one(self, owners: list[Owner], index: int) -> Owner:
        self.now = owners[index % len(owners)]
        return self.now

    @precondition(lambda self: self.able())
    @rule(index=st.integers(0, 9), look=st.booleans(), overtaken=st.booleans())
    def train_a_slice(self, index: int, look: bool, overtaken: bool) -> None:
        """`look`: it has come to a checkpoint, and so to a look at whether it was superseded;
        `overtaken`: while it trains, another one commits the same slice, where there is one."""
        me = self.one(self.able(), index)
        names = [f"r{me.slice}{i}" for i in range(RUNS)]
        if not set(names) <= me.finished and not is_committed(me.attempt, me.slice):
            if look and me.attempt.superseded():
                return self.leave(me, "stopped")
            rows = [{"run_id": n, "by": me.pid} for n in names if n not in me.finished]
            if self.overtaken(me, overtaken):
                assert not commit(me.attempt, me.slice, rows, [])
            elif commit(me.attempt, me.slice, rows, []):
                self.committed.setdefault(me.slice, []).append(me.pid)
            if me.attempt.superseded():
                return self.leave(me, "stopped")
        me.slice += 1
        if me.slice == SLICES:
            self.leave(me, "completed")

    def overtaken(self, me: Owner, wanted: bool) -> bool:
        """Let another owner that is able commit the slice that `me` is about to. Whether it did."""
        others = [o for o in self.able() if o is not me and o.slice <= me.slice]
        if not (wanted and others):
            return False
        rows = [{"run_id": f"r{me.slice}{i}", "by": others[0].pid} for i in range(RUNS)]
        assert commit(others[0].attempt, me.slice, rows, [])
        self.committed.setdefault(me.slice, []).append(others[0].pid)
        return True

    def leave(self, me: Owner, status: str) -> None:
        end(me.attempt, status)
        me.dead = True

    @precondition(lambda self: self.able())
    @rule(index=st.integers(0, 9))
    def stop(self, index: int) -> None:
        self.one(self.able(), index).stopped = True

    @precondition(lambda self: any(o.stopped and not o.dead for o in self.owners))
    @rule(index=st.integers(0, 9))
    def go_on(self, index: int) -> None:
        self.one([o for o in self.owners if o.stopped and not o.dead], index).stopped = False

    @precondition(lambda self: self.able())
    @rule(index=st.integers(0, 9))
    def kill(self, index: int) -> None:
        self.one(self.able(), index).dead = True

    @rule(machine=st.sampled_from(MACHINES))
    def reboot(self, machine: str) -> None:
        self.boots[machine] += 1
        for owner in self.owners:
            owner.dead |= owner.machine == machine

    @rule(seconds=st.sampled_from([10.0, 70.0, 400.0, 2000.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, and those who can beat."""
        self.clock += seconds
        for owner in self.able():
            self.beat(owner)

    @precondition(lambda self: any(o.dead and o.attempt for o in self.owners))
    @rule(index=st.integers(0, 9), how=st.sampled_from(["claim", "end.json", "progress.json"]),
          content=st.sampled_from([b"", b"{", b"\0" * 40]))  # fmt: skip
    def damage(self, index: int, how: str, content: bytes) -> None:
        """A record of a dead owner that is no commit goes bad."""
        me = self.one([o for o in self.owners if o.dead and o.attempt], index)
        path = me.attempt.folder / how
        if how == "claim":
            path = me.attempt.folder.with_name(f"{me.attempt.folder.name}.claim")
        if path.exists():
            path.write_bytes(content)

    # What must hold after each of it.

    @invariant()
    def no_run_is_committed_twice(self) -> None:
        assert all(len(by) == 1 for by in self.committed.values()), self.committed

    @invariant()
    def no_committed_result_changes(self) -> None:
        self.now = Owner("reader", 0, 0, None)
        self.boots.setdefault("reader", 0)
        found = results(attempts(self.store, PACK))
        for run_id, row in self.read.items():
            assert found.get(run_id) == row
        assert json.dumps(found)  # whole
        self.read = found

    @invariant()
    def of_those_who_are_at_work_all_but_one_are_superseded(self) -> None:
        assert sum(not owner.attempt.superseded() for owner in self.able()) <= 1


TestSchedule = Schedule.TestCase
TestSchedule.settings = settings(
    max_examples=400, stateful_step_count=40, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
