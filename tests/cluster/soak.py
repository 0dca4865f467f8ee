"""Random faults, overlapping, while a sweep trains: nothing lost, nothing twice, nothing different.

python -m tests.cluster.soak --faults 12 --seed 0
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd

from orchestrator.records.liveness import process_start
from tests.cluster import lab
from tests.cluster.sandbox import Sandbox, assert_same, sandbox, undisturbed

REPAIR_S = (5.0, 20.0)
"""Seconds after which a node, the controller or the accounting comes back."""
LIES = """PATH="${PATH#*:}"
case "$*" in *--test-only*) exec sbatch "$@";; esac
sbatch "$@" > /dev/null; echo 'sbatch: error: Socket timed out' >&2; exit 1"""
"""An sbatch that queues, and says that it has failed."""
APART_S = (1.0, 8.0)
"""Seconds between faults."""


class Soak:
    """The cluster, the round's store, and what is broken at the moment."""

    def __init__(self, environment: dict[str, str], box: Sandbox, rng: random.Random) -> None:
        self.environment, self.box, self.rng = environment, box, rng
        self.repairs: dict[str, tuple[float, Callable[[], None]]] = {}

    def strike(self) -> str:
        """One fault, drawn at random among those that are possible now; its name.

        Drawn again where it found nothing to strike: no task in that state, one node left, a fault
        that is asked for already.
        """
        down = "slurmctld" in self.repairs
        choices = {f: (lambda f=f: self._inside(f)) for f in ("exception", "sigkill", "memory")}
        choices["stopped and continued"] = self._stop_and_continue
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
            choices["submission while slurmctld is down"] = self.submit
        names = [n for n in choices if n.split(" ")[0] not in self.repairs]
        self.rng.shuffle(names)
        return next(n for n in names if choices[n]())

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

    def _early(self) -> bool:
        self.submit()
        return self._daemon("slurmctld")


def soak(faults: int, seed: int, folder: Path, environment: dict[str, str]) -> None:
    """Strike `faults` times, over as many rounds of the sweep as it takes. Raises: AssertionError."""
    rng = random.Random(seed)
    struck, rounds, begun, reference = 0, 0, time.monotonic(), None
    while struck < faults:
        rounds += 1
        partition = rng.choice(("low", "lowg"))  # preemption at once, or after a grace of 20 s
        options = (f"cluster.partition={partition}", "cluster.cpus=8", "cluster.memory=2",
                   "cluster.max_jobs=4")  # fmt: skip
        box = sandbox(folder / f"round{rounds}", environment, "0,0.5,1.0", "0,1,2,3", chunk_s=1.5,
                      options=options)  # fmt: skip
        if reference is None:
            reference = undisturbed(box, folder / "reference")
        work = Soak(environment, box, rng)
        work.submit()
        while struck < faults and not finished(box, reference):
            time.sleep(rng.uniform(*APART_S))
            work.mend()
            if "slurmctld" not in work.repairs and not work.queue():
                work.submit()
            struck += 1
            print(f"{time.monotonic() - begun:5.0f} s: fault {struck}: {work.strike()}", flush=True)
        work.mend(everything=True)
        lab.until(lambda: answers(environment), 60, "slurmctld's answer")
        for _ in range(5):  # a fault asked for may strike only now, a last failure needs a retry
            lab.resume(environment)
            box.finish()
            if finished(box, reference):
                break
        table = box.table()
        assert_same(table, reference)
        print(f"round {rounds}: {len(table)} runs, all once, all equal to the undisturbed ones")
    print(f"{struck} faults in {rounds} rounds, {time.monotonic() - begun:.0f} s: "
          "nothing lost, nothing twice, nothing different")  # fmt: skip


def finished(box: Sandbox, reference: pd.DataFrame) -> bool:
    """Whether every run has its result."""
    return box.status()["counts"].get("completed", 0) == len(reference)


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
