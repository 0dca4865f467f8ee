"""This machine as a cluster: worker processes that share the packs, watched until they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.launch.packs import at_once
from orchestrator.launch.plan import Plan
from orchestrator.launch.progress import Progress
from orchestrator.launch.worker import command
from orchestrator.records.attempts import attempts
from orchestrator.records.store import Store

GRACE_S = 60.0
"""Seconds that a worker has to checkpoint once it is told to stop."""


def launch(store: Store, plan: Plan) -> int:
    """Train the plan's packs in worker processes; returns how many workers failed.

    Ends when no worker is left and nobody else is at work on a pack of the plan. Interrupted
    (Ctrl-C), it lets the workers checkpoint; submitting again goes on from there.
    """
    ids = [pack.pack_id for pack in plan.launch]
    count = at_once(plan.launch, plan.settings)
    log_folder = store.logs / plan.sweep
    log_folder.mkdir(parents=True, exist_ok=True)
    stamp = time.time_ns()
    logs = [log_folder / f"{stamp}-worker{i}.log" for i in range(count)]
    workers = [_start(store, plan, ids[i:] + ids[:i], logs[i], i) for i in range(count)]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Progress(store, plan.launch) as progress:
            while any(w.poll() is None for w in workers) or _others(store, ids):
                progress.update()
                time.sleep(0.2)
            progress.update()
    except KeyboardInterrupt:
        _stop(workers)
        print("stopped; submit again to go on", file=sys.stderr)
        raise
    failed = [log for w, log in zip(workers, logs, strict=True) if w.returncode]
    for log in failed:
        print(f"a worker failed; its log: {log}", file=sys.stderr)
    return len(failed)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _start(
    store: Store, plan: Plan, ids: list[str], log: Path, index: int
) -> subprocess.Popen[bytes]:
    threads = str(plan.settings.execution.threads)
    env = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    gpus = [g for g in env.get("CUDA_VISIBLE_DEVICES", "").split(",") if g]
    if len(gpus) > 1:
        env["CUDA_VISIBLE_DEVICES"] = gpus[index % len(gpus)]
    how = plan.settings
    words = command(store, ids, how.execution, plan.sweep, how.tracking)
    words[3:3] = ["--die-with-parent"]
    with open(log, "wb") as f:
        return subprocess.Popen(words, stdout=f, stderr=subprocess.STDOUT, env=env)


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
