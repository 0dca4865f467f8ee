"""Random faults, overlapping, while a sweep trains: nothing lost, nothing twice, nothing different.

python -m tests.cluster.soak --faults 12 --seed 0
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from orchestrator.records.liveness import process_start
from tests.cluster import lab
from tests.cluster.sandbox import Sandbox, assert_same, sandbox, undisturbed
from tests.store.corrupt import WAYS, applies, damage

REPAIR_S = (5.0, 20.0)
"""Seconds after which a node, the controller or the accounting comes back."""
LIES = """PATH="${PATH#*:}"
case "$*" in *--test-only*) exec sbatch "$@";; esac
sbatch "$@" > /dev/null; echo 'sbatch: error: Socket timed out' >&2; exit 1"""
"""An sbatch that queues, and says that it has failed."""
APART_S = (1.0, 8.0)
"""Seconds between faults."""
STALL_S = 30.0
"""Seconds without a step after which a worker is hung; more than a start takes on a busy machine."""
FINISH_S = 600.0
"""Seconds in which a round must be complete once it is struck no more."""


WHILE_DOWN = "submission while slurmctld is down"
KINDS = (
    "exception", "sigkill", "memory", "hang", "stopped and continued", "record damaged",
    "running task cancelled", "pending task cancelled", "USR2", "time limit", "requeue",
    "node killed", "node set down", "preemption", "slurmctld killed", "slurmdbd killed",
    "submission, then slurmctld killed", WHILE_DOWN,
    "submission by an sbatch that lies", "submission without squeue", "submission inside salloc",
    "two submissions at once",
)  # fmt: skip
"""What can be struck."""


class Soak:
    """The cluster, the round's store, and what is broken at the moment."""

    def __init__(
        self, environment: dict[str, str], box: Sandbox, rng: random.Random, deck: list[str]
    ) -> None:
        self.environment, self.box, self.rng, self.deck = environment, box, rng, deck
        self.repairs: dict[str, tuple[float, Callable[[], None]]] = {}

    def strike(self) -> str:
        """One fault, drawn from a deck, so that each kind comes before any comes again; its name.

        One that is not possible now, or found nothing to strike (no task in that state, one node
        left, a fault that is asked for already), stays in the deck.
        """
        choices = self._possible()
        others = [n for n in KINDS if n not in self.deck]
        rarest_first = sorted(self.deck, key=lambda name: name != WHILE_DOWN)
        for name in [*rarest_first, *self.rng.sample(others, len(others))]:
            if name in choices and name.split(" ")[0] not in self.repairs and choices[name]():
                if name in others:  # all that is left in the deck is not possible now
                    self.deck += others
                self.deck.remove(name)
                return name
        raise AssertionError("nothing is left to strike")

    def _possible(self) -> dict[str, Callable[[], bool]]:
        """What can be struck now: its name, and how; False where it found nothing."""
        down = "slurmctld" in self.repairs
        inside = ("exception", "sigkill", "memory", "hang")
        choices = {f: (lambda f=f: self._inside(f)) for f in inside}
        choices["stopped and continued"] = self._stop_and_continue
        choices["record damaged"] = self._damage
        choices["slurmdbd killed"] = lambda: self._daemon("slurmdbd")
        choices["slurmctld killed"] = lambda: self._daemon("slurmctld")
        if not down:
            choices |= {
                "running task cancelled": lambda: self._job("RUNNING", "scancel", "{}"),
                "pending task cancelled": lambda: self._job("PENDING", "scancel", "{}"),
                "USR2": lambda: self._job("RUNNING", "scancel", "--signal=USR2", "{}"),
                # a minute in all: TIMEOUT where it has had that, else USR2 now
                "time limit": lambda: self._job(
                    "RUNNING", "scontrol", "update", "jobid={}", "timelimit=1"
                ),
                "requeue": lambda: self._job("RUNNING", "scontrol", "requeue", "{}"),
                "node killed": self._kill_node,
                "node set down": self._set_down,
                "preemption": self._preempt,
                "submission, then slurmctld killed": self._early,
            }
            choices |= {
                "submission by an sbatch that lies": lambda: self._through("sbatch", LIES),
                "submission without squeue": lambda: self._through("squeue", "exit 1"),
                "submission inside salloc": self._inside_salloc,
                "two submissions at once": self._two,
            }
        else:
            choices[WHILE_DOWN] = self.submit
        return choices

    def counts(self) -> dict[str, int]:
        """Runs by state; {} where the manifest was damaged, and nobody has submitted since."""
        out = self.box.run("status", "tiny", "--json")
        if "Traceback" in out.stderr:
            raise AssertionError(out.stderr)
        return json.loads(out.stdout)[0]["counts"] if out.returncode == 0 else {}

    def finished(self, runs: int) -> bool:
        """Whether every run has its result."""
        return self.counts().get("completed", 0) == runs

    def finish(self, runs: int) -> None:
        """Submit wherever nobody is at work or something hangs, until every run is done.

        Raises: AssertionError where that takes longer than FINISH_S.
        """
        begun = time.monotonic()
        while (counts := self.counts()).get("completed", 0) < runs:
            lab.resume(self.environment)
            if counts.get("hung") or not (counts.get("running") or counts.get("queued")):
                self.submit()
            if time.monotonic() > begun + FINISH_S:
                raise AssertionError(f"not complete after {FINISH_S:.0f} s: {counts}")
            time.sleep(2)

    def submit(self, **environment: str) -> bool:
        """Submit; a refusal is a line, never a traceback."""
        out = replace(self.box, environment={**self.box.environment, **environment}).submit()
        if out.returncode not in (0, 2) or "Traceback" in out.stderr:
            raise AssertionError(out.stderr)
        return True

    def mend(self, everything: bool = False) -> None:
        """Repair what is due."""
        for name, (when, repair) in list(self.repairs.items()):
            if everything or time.monotonic() > when:
                del self.repairs[name]
                repair()
        for name in ("slurmctld", "slurmdbd"):  # one that died by itself, as a service manager does
            if name not in self.repairs and lab.died(self.environment, name):
                lab.revive(self.environment, name)
        lab.resume(self.environment)

    def queue(self) -> list[list[str]]:
        """What is queued; nothing while the controller does not answer."""
        try:
            return lab.queue(self.environment)
        except subprocess.CalledProcessError:
            return []

    def _later(self, name: str, repair: Callable[[], None]) -> None:
        self.repairs[name] = (time.monotonic() + self.rng.uniform(*REPAIR_S), repair)

    def _inside(self, fault: str) -> bool:
        """A fault inside a task, which strikes when that task next trains."""
        name = f"{fault}-{self.rng.randrange(4)}"
        new = not (self.box.folder / "faults" / name).exists()
        self.box.faults(name)
        return new

    def _through(self, command: str, body: str) -> bool:
        """Submit with a stand-in for one of Slurm's commands."""
        folder = self.box.folder / f"bin-{command}"
        folder.mkdir(exist_ok=True)
        (folder / command).write_text(f"#!/bin/sh\n{body}\n")
        (folder / command).chmod(0o755)
        return self.submit(PATH=f"{folder}:{self.box.environment['PATH']}")

    def _inside_salloc(self) -> bool:
        return self.submit(SLURM_JOB_ID="1", SLURM_NTASKS="64", SLURM_MEM_PER_NODE="1",
                           SLURM_MEM_PER_CPU="1", SBATCH_QOS="none", SQUEUE_STATES="RUNNING")  # fmt: skip

    def _two(self) -> bool:
        with ThreadPoolExecutor(2) as pool:
            return all(pool.map(lambda _: self.submit(), range(2)))

    def _stop_and_continue(self) -> bool:
        """SIGSTOP of a task's process, SIGCONT some seconds later."""
        here = [c for c in self.box.claims() if process_start(c["pid"]) == c["process_start"]]
        here = [c for c in here if f"stopped {c['pid']}" not in self.repairs and c["pid"]]
        if not here:
            return False
        pid = self.rng.choice(here)["pid"]
        self._signal(pid, signal.SIGSTOP)
        self._later(f"stopped {pid}", lambda: self._signal(pid, signal.SIGCONT))
        return True

    @staticmethod
    def _signal(pid: int, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def _damage(self) -> bool:
        """Any record of the store, in any way; not its logs."""
        store = self.box.folder / "runs"
        found = [
            p for kind in ("packs/*/*", "packs/*/*/*", "sweeps/*/*", "jobs/*") for p in store.glob(kind)
            if p.is_file() and p.suffix in (".json", ".jsonl", ".claim", ".pt") and p.name[0] != "."
        ]  # fmt: skip
        if not found:
            return False
        path = self.rng.choice(sorted(found))
        way = self.rng.choice([w for w in WAYS if applies(path, w)])
        try:
            damage(path, way, self.rng)
        except (FileNotFoundError, ValueError):
            return False  # gone, or damaged already
        print(f"       {path.relative_to(store)}: {way}")
        return True

    def _daemon(self, name: str) -> bool:
        lab.kill_daemon(self.environment, name)
        self._later(name, lambda: lab.revive(self.environment, name))
        return True

    def _job(self, state: str, *words: str) -> bool:
        """One of Slurm's commands about a task in that state, which stands for {} in the words."""
        ids = [q[0] for q in self.queue() if q[1] == state]
        if ids:
            task = self.rng.choice(ids)
            lab.tell(self.environment, *(w.format(task) for w in words))
        return bool(ids)

    def _kill_node(self) -> bool:
        node = self._node()
        if node is None:
            return False
        lab.kill_node(self.environment, node)
        self._later(node, lambda: lab.start_daemon(self.environment, "slurmd", "-N", node))
        return True

    def _set_down(self) -> bool:
        node = self._node()
        if node is None:
            return False
        words = ("scontrol", "update", f"nodename={node}")
        lab.tell(self.environment, *words, "state=down", "reason=soak")
        self._later(node, lambda: lab.tell(self.environment, *words, "state=resume"))
        return True

    def _node(self) -> str | None:
        """A node that stands; None where only one is left."""
        free = [n for n in ("n1", "n2", "n3", "n4") if n not in self.repairs]
        return self.rng.choice(free) if len(free) > 1 else None

    def _preempt(self) -> bool:
        lab.tell(self.environment, "sbatch", "-p", "high", "-N1", "-n1", "--exclusive", "-t1", "-o", "/dev/null",
                  "--wrap=sleep 3")  # fmt: skip
        return True

    def clear(self) -> None:
        """Take what is left of a finished round's jobs out of the queue."""
        out = self.box.run("cancel", "tiny")
        assert out.returncode == 0, out.stderr
        try:
            lab.until(self._empty, 120, "an empty queue")
        except TimeoutError as error:
            states = lab.ask(self.environment, "sinfo", "-h", "-N", "-p", "main", "-o", "%N %T %E")
            jobs = lab.ask(self.environment, "squeue", "-h", "-r", "-o", "%i %j %T %r")
            raise AssertionError(f"{out.stdout}\n{jobs}\n{states}") from error

    def _empty(self) -> bool:
        """Whether no task is left, on nodes that an administrator looks after."""
        lab.resume(self.environment)
        return not self.queue()

    def _early(self) -> bool:
        self.submit()
        return self._daemon("slurmctld")


def soak(faults: int, seed: int, folder: Path, environment: dict[str, str]) -> Counter[str]:
    """Strike `faults` times, over as many rounds of the sweep as it takes; how often each kind.

    Raises: AssertionError.
    """
    rng = random.Random(seed)
    struck: Counter[str] = Counter()
    deck: list[str] = rng.sample(KINDS, len(KINDS))
    rounds, begun, reference = 0, time.monotonic(), None
    while struck.total() < faults:
        rounds += 1
        partition = rng.choice(("low", "lowg"))  # preemption at once, or after a grace of 20 s
        options = (f"cluster.partition={partition}", "cluster.cpus=8", "cluster.memory=2",
                   "cluster.max_jobs=4", f"execution.stall_s={STALL_S}")  # fmt: skip
        box = sandbox(folder / f"round{rounds}", environment, "0,0.5,1.0", "0,1,2,3", chunk_s=1.5,
                      options=options)  # fmt: skip
        if reference is None:
            reference = undisturbed(box, folder / "reference")
        runs = len(reference)
        work = Soak(environment, box, rng, deck)
        work.submit()
        while struck.total() < faults and not work.finished(runs):
            time.sleep(rng.uniform(*APART_S))
            work.mend()
            if "slurmctld" not in work.repairs and not work.queue():
                work.submit()
            name = work.strike()
            struck[name] += 1
            at = time.monotonic() - begun
            print(f"{at:5.0f} s: fault {struck.total()}: {name}", flush=True)
        work.mend(everything=True)
        lab.until(lambda: answers(environment), 60, "slurmctld's answer")
        work.finish(runs)
        table = box.table()
        assert_same(table, reference)
        work.clear()
        print(f"round {rounds}: {len(table)} runs, all once, all equal to the undisturbed ones")
    print(", ".join(f"{name} {struck[name]}" for name in KINDS))
    print(f"{struck.total()} faults of {len(struck)} kinds in {rounds} rounds, "
          f"{time.monotonic() - begun:.0f} s: nothing lost, nothing twice, nothing different")  # fmt: skip
    return struck


def answers(environment: dict[str, str]) -> bool:
    """Whether the controller and all nodes are back."""
    done = subprocess.run(["sinfo", "-h", "-p", "main", "-t", "down", "-o", "%D"], env=environment,
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    return done.returncode == 0 and not done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if reason := lab.missing():
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as name, lab.cluster(Path(name)) as environment:
        soak(args.faults, args.seed, Path(name) / "work", environment)


if __name__ == "__main__":
    main()
