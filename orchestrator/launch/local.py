"""This machine as a cluster: worker processes that share the packs, watched until they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.launch.gpus import gpus
from orchestrator.launch.progress import Progress
from orchestrator.launch.stop import GRACE_S, stop_hung
from orchestrator.launch.worker import command
from orchestrator.records.attempts import attempts
from orchestrator.records.packs import Pack
from orchestrator.records.store import Store
from orchestrator.settings import Settings

HUNG_S = 5.0
"""Seconds between two looks for workers that stand still."""


@dataclass(frozen=True)
class Local:
    """`cluster.name=local`."""

    settings: Settings
    queues = False
    waits = True
    place = None

    def require(self) -> None:
        """This machine takes what it is given."""

    def processes(self) -> int:
        """As configured, else `execution.packs_per_gpu` for each GPU, or one for every
        `execution.threads` cores."""
        if self.settings.cluster.processes:
            return self.settings.cluster.processes
        device = self.settings.execution.device
        if device == "cuda" or (device == "auto" and self.has_gpu()):
            return max(1, len(gpus()) * self.settings.execution.packs_per_gpu)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return max(1, (cores or 1) // self.settings.execution.threads)

    def has_gpu(self) -> bool:
        return bool(gpus())

    def describe(self, processes: int) -> str:
        return "on this machine"

    def measure(self, store: Store, overrides: list[str]) -> str | None:
        """Here."""
        return None

    def launch(self, store: Store, sweep: str, packs: list[Pack]) -> int:
        """Train packs in worker processes; returns how many workers failed.

        Ends when no worker is left and nobody else is at work on one of the packs. Interrupted
        (Ctrl-C), it lets the workers checkpoint; submitting again goes on from there.
        """
        ids = [pack.pack_id for pack in packs]
        count = min(self.processes(), len(ids))
        log_folder = store.logs / sweep
        log_folder.mkdir(parents=True, exist_ok=True)
        stamp = time.time_ns()
        logs = [log_folder / f"{stamp}-worker{i}.log" for i in range(count)]
        workers = []
        for i in range(count):
            words = [*command(store, self.settings, sweep), *ids[i:], *ids[:i]]
            execution = self.settings.execution
            workers.append(_start(words, logs[i], execution.threads, i, execution.device))
        before = signal.signal(signal.SIGTERM, _interrupt)
        looked = time.monotonic()
        try:
            with Progress(store, packs) as progress:
                while any(w.poll() is None for w in workers) or _others(store, ids):
                    progress.update()
                    time.sleep(0.2)
                    if time.monotonic() > looked + HUNG_S:
                        looked = time.monotonic()
                        _kill_hung(store, ids)
                progress.update()
        except KeyboardInterrupt:
            _stop(workers)
            print("stopped; submit again to go on", file=sys.stderr)
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
        failed = [log for w, log in zip(workers, logs, strict=True) if w.returncode]
        for log in failed:
            print(f"a worker failed; its log: {log}", file=sys.stderr)
        return len(failed)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _start(
    words: list[str], log: Path, threads: int, index: int, device: str
) -> subprocess.Popen[bytes]:
    """The worker number `index`, with its GPU where it has one."""
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if device != "cpu" and (names := gpus()):
        env["CUDA_VISIBLE_DEVICES"] = names[index % len(names)]
    with open(log, "wb") as f:
        return subprocess.Popen(
            [*words, f"--parent={os.getpid()}"], stdout=f, stderr=subprocess.STDOUT, env=env
        )


def _kill_hung(store: Store, ids: list[str]) -> None:
    """End workers that stand still: their packs are taken over."""
    for attempt in (a for i in ids for a in attempts(store, i)[-1:]):
        stop_hung(attempt)


def _others(store: Store, ids: list[str]) -> bool:
    """Whether anyone is at work on one of the packs."""
    return any(a.living() for i in ids for a in attempts(store, i)[-1:])


def _stop(workers: list[subprocess.Popen[bytes]]) -> None:
    for w in workers:
        w.terminate()
    for w in workers:
        try:
            w.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            w.kill()
