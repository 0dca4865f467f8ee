"""What a Slurm task runs: a worker that hears Slurm's signals and comes back by itself.

The time limit's signal (and preemption's, where the cluster sends it) ends in a checkpoint and in
`scontrol requeue`, the only requeue that is ours. SIGTERM ends in a checkpoint; whether the job
comes back is then Slurm's to decide. All it is told stands in the text of the job's script, of
which Slurm keeps a copy of its own: nothing that others can write is run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from argparse import Namespace
from pathlib import Path
from types import FrameType

from orchestrator.launch.gpus import gpus
from orchestrator.launch.worker import arguments, work
from orchestrator.records.attempts import attempts
from orchestrator.records.store import Store, open_store

KILL_S = 600.0
"""Seconds to wait after SIGTERM for the kill: leaving by itself would look like a job that is done,
which Slurm does not requeue; more than the grace that partitions are given."""
LAST_S = 10
"""Seconds before the time limit at which it requeues even where training has not stopped yet."""
MOST_IN_VAIN = 3
"""Time limits in a row that may come before a first checkpoint; then the job fails."""
ASK_S = 5.0
"""Seconds between two tries to reach the controller for a requeue."""


class Job:
    """One start of a task: its packs, and what Slurm has told it so far."""

    def __init__(self, store: Store, packs: list[str], signal_s: int, folder: Path) -> None:
        self.store, self.packs, self.signal_s = store, packs, signal_s
        self.task = task_name(os.environ)
        self.in_vain = folder / f"{self.task}.in-vain"
        self.stop = threading.Event()
        self.requeued, self.terminated, self.begun = False, False, time.time()
        signal.signal(signal.SIGUSR2, self._limit)
        signal.signal(signal.SIGALRM, self._late)
        signal.signal(signal.SIGTERM, self._terminate)

    def _limit(self, signum: int, frame: FrameType | None) -> None:
        self.requeued = True
        self.stop.set()
        signal.alarm(max(1, self.signal_s - LAST_S))

    def _terminate(self, signum: int, frame: FrameType | None) -> None:
        self.terminated = True
        self.stop.set()

    def _late(self, signum: int, frame: FrameType | None) -> None:
        """Training has not come to a checkpoint (a long compilation): the last one must do.

        Raises: RuntimeError where it came to none, time and again.
        """
        count = 0 if self._moved() else 1 + int(_text(self.in_vain) or 0)
        self.in_vain.write_text(str(count))
        if count >= MOST_IN_VAIN:
            self.requeued = False
            raise RuntimeError(
                f"cluster.time is too short: {count} times in a row the time limit came before the "
                "first checkpoint"
            )
        self.requeue()

    def _moved(self) -> bool:
        """Whether this start of the job has left a checkpoint or a result."""
        mine = (
            a for p in self.packs for a in attempts(self.store, p)
            if a.claim["time"] >= self.begun
        )  # fmt: skip
        return any(a.checkpoint.exists() or a.committed() for a in mine)

    def requeue(self) -> None:
        """Have Slurm start the task again, and leave. Raises: RuntimeError where it refuses."""
        end = time.monotonic() + self.signal_s
        while True:
            done = subprocess.run(
                ["scontrol", "requeue", self.task], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                print(f"requeued {self.task}", file=sys.stderr, flush=True)
                sys.exit(255)  # Slurm ends it in any case
            if self.terminated:  # preemption: it is requeued already, and about to be killed
                time.sleep(KILL_S)
            if time.monotonic() > end:
                raise RuntimeError(f"scontrol requeue {self.task}: {done.stderr.strip()}")
            time.sleep(ASK_S)

    def obey(self) -> None:
        """Requeue, or wait for the kill, where a signal came."""
        signal.alarm(0)
        if self.requeued:
            self.in_vain.unlink(missing_ok=True)
            self.requeue()
        elif self.terminated:
            time.sleep(KILL_S)


def task_name(env: os._Environ[str] | dict[str, str]) -> str:
    """The number of this task as Slurm's commands want it."""
    if "SLURM_ARRAY_JOB_ID" in env:
        return f"{env['SLURM_ARRAY_JOB_ID']}_{env['SLURM_ARRAY_TASK_ID']}"
    return env["SLURM_JOB_ID"]


def log_name(task: str) -> str:
    """File name of the log of a task; Slurm's %A_%a may stand in the task's place."""
    return f"{task}_0_log.out"


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def main() -> None:
    parser = arguments("python -m orchestrator.launch.job")
    parser.add_argument("--signal-s", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    args: Namespace = parser.parse_args()
    store = open_store(args.store)
    job = Job(store, args.packs, args.signal_s, args.folder)
    os.environ["ORCHESTRATOR_LOG"] = str(args.folder / log_name(job.task))
    if not store.packs.is_dir():
        sys.exit(
            f"store {store.root} is not there on node {os.environ.get('SLURMD_NODENAME')}: "
            "set ORCHESTRATOR_STORE to a folder that the nodes share"
        )
    if args.execution["device"] == "cuda" and not gpus():
        sys.exit(
            f"no GPU for this job on node {os.environ.get('SLURMD_NODENAME')}: ask for one "
            "(cluster.gpus=1 or cluster.gres=...), or train with execution.device=cpu"
        )
    failed = work(store, args, job.stop.is_set)
    job.obey()
    if failed:
        sys.exit(f"{failed} of {len(args.packs)} packs failed")


if __name__ == "__main__":
    main()
