"""What submitit runs on a node: a worker that hears Slurm's signals and comes back by itself.

The time limit's signal (and preemption's, where the cluster sends it) ends in a checkpoint and
submitit's requeue, the only requeue that is ours. SIGTERM ends in a checkpoint; whether the job
comes back is then Slurm's to decide. It carries strings and numbers alone.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from orchestrator.records.attempts import attempts
from orchestrator.records.store import Store, open_store, share_alike

KILL_S = 600.0
"""Seconds to wait after SIGTERM for the kill: leaving by itself would look like a job that is done,
which Slurm does not requeue; more than the grace that partitions are given."""
LAST_S = 10
"""Seconds before the time limit at which it requeues even where training has not stopped yet."""
MOST_IN_VAIN = 3
"""Time limits in a row that may come before a first checkpoint; then the job fails."""


class Job:
    """A callable for submitit: trains packs, is requeued, finds its state in the records."""

    def __init__(
        self, store: str, packs: list[str], execution: dict[str, Any], sweep: str,
        tracking: dict[str, Any], signal_s: int,
    ) -> None:  # fmt: skip
        self.store, self.packs, self.execution = store, packs, execution
        self.sweep, self.tracking, self.signal_s = sweep, tracking, signal_s
        self.in_vain = 0

    def __call__(self) -> int:
        """Train; returns 0. Raises: RuntimeError where a pack failed, so that Slurm says FAILED."""
        from submitit import JobEnvironment

        from orchestrator.launch.worker import run
        from orchestrator.settings import Execution, Tracking
        from orchestrator.tracking.beside import beside

        paths = JobEnvironment().paths
        os.environ["ORCHESTRATOR_LOG"] = str(paths.stdout)
        store = open_store(self.store)
        if not store.packs.is_dir():
            raise RuntimeError(
                f"store {store.root} is not there on node {os.environ.get('SLURMD_NODENAME')}: "
                "set ORCHESTRATOR_STORE to a folder that the nodes share"
            )
        share_alike(store)
        # What a kill in the middle of submitit's own checkpoint leaves; it would stop the next.
        stale = paths.submitted_pickle.with_name(f"{paths.submitted_pickle.name}.save_tmp")
        stale.unlink(missing_ok=True)
        signals = _Signals(self, store)
        sink = beside(store, self.sweep, Tracking(**self.tracking))
        try:
            execution = Execution(**self.execution)
            failed = run(store, self.packs, execution, signals.stop.is_set, sink)
        finally:
            if sink is not None:
                sink.close()
        signals.obey()
        if failed:
            raise RuntimeError(f"{failed} of {len(self.packs)} packs failed")
        return 0

    def checkpoint(self) -> Any:
        """What submitit runs after the requeue: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class _Signals:
    """Turns signals into a request to stop, and afterwards does what the signal was for."""

    def __init__(self, job: Job, store: Store) -> None:
        self.stop = threading.Event()
        self.requeue, self.terminated = False, False
        self.job, self.store, self.begun = job, store, time.time()
        self.submitit = signal.getsignal(signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, self._limit)
        signal.signal(signal.SIGALRM, self._late)
        signal.signal(signal.SIGTERM, self._terminate)

    def _limit(self, signum: int, frame: FrameType | None) -> None:
        self.requeue = True
        self.stop.set()
        signal.alarm(max(1, self.job.signal_s - LAST_S))

    def _terminate(self, signum: int, frame: FrameType | None) -> None:
        self.terminated = True
        self.stop.set()

    def _late(self, signum: int, frame: FrameType | None) -> None:
        """Training has not come to a checkpoint (a long compilation): the last one must do.

        Raises: RuntimeError where it came to none, time and again.
        """
        self.job.in_vain = 0 if self._moved() else self.job.in_vain + 1
        if self.job.in_vain >= MOST_IN_VAIN:
            self.requeue = False
            raise RuntimeError(
                f"cluster.time is too short: {self.job.in_vain} times in a row the time limit came "
                "before the first checkpoint"
            )
        self.submitit(signal.SIGUSR2, frame)

    def _moved(self) -> bool:
        """Whether this start of the job has left a checkpoint or a result."""
        mine = (
            a for p in self.job.packs for a in attempts(self.store, p)
            if a.claim["time"] >= self.begun
        )  # fmt: skip
        return any(a.checkpoint.exists() or a.committed() for a in mine)

    def obey(self) -> None:
        """Requeue, or wait for the kill, where a signal came."""
        signal.alarm(0)
        if self.requeue:
            self.job.in_vain = 0
            self.submitit(signal.SIGUSR2, None)  # requeues and exits
        elif self.terminated:
            time.sleep(KILL_S)
