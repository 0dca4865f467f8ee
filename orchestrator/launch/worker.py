"""A job: one process that claims packs one after the other and trains them.

The same on this machine and on a cluster node. It trains whatever no other job is at work on, so
jobs may be given overlapping packs. Everything it finds out stands in the records.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.errors import refusal
from orchestrator.launch.pace import Pace
from orchestrator.parts.own import stand_in
from orchestrator.records.attempts import Attempt, attempts, claim, end, results
from orchestrator.records.liveness import HEARTBEAT_S
from orchestrator.records.packs import Pack, PackLost, closed, read_pack
from orchestrator.records.provenance import code_version, git_commit, package_versions
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, open_store, share_alike, write_atomic
from orchestrator.settings import Execution, Settings, Tracking
from orchestrator.tracking.beside import Beside, beside


def command(store: Store, settings: Settings, sweep: str, module: str = "worker") -> list[str]:
    """The command line of a job of a sweep, to be followed by the packs that it trains."""
    return [
        sys.executable, "-u", "-m", f"orchestrator.launch.{module}", "--store", str(store.root),
        "--execution", json.dumps(vars(settings.execution)), "--sweep", sweep,
        "--tracking", json.dumps(vars(settings.tracking)),
    ]  # fmt: skip


def arguments(program: str) -> argparse.ArgumentParser:
    """What reads that command line."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--execution", type=json.loads, required=True)
    parser.add_argument("--sweep", default="")
    parser.add_argument("--tracking", type=json.loads, default={})
    parser.add_argument("packs", nargs="+")
    return parser


def work(store: Store, args: argparse.Namespace, stopping: Callable[[], bool]) -> int:
    """Train the packs that the command line names, tracked where it says so; how many failed."""
    share_alike(store)
    sink = beside(store, args.sweep, Tracking(**args.tracking))
    try:
        return run(store, args.packs, Execution(**args.execution), stopping, sink)
    finally:
        if sink is not None:
            sink.close()


def run(
    store: Store, pack_ids: list[str], execution: Execution, stopping: Callable[[], bool],
    sink: Beside | None = None,
) -> int:  # fmt: skip
    """Train every pack that nobody else trains. Returns how many failed."""
    stand_in(execution.parts)
    about = {
        "git_commit": git_commit(), "code_version": code_version(),
        "packages": package_versions(), "log": _log(), "stall_s": execution.stall_s,
    }  # fmt: skip
    failed = 0
    for pack_id in pack_ids:
        if stopping():
            break
        try:
            failed += not _pack(store, pack_id, about, execution, stopping, sink)
        except PackLost as e:
            why = str(e)
        except OSError as e:  # a full disk, a lost permission: nothing can be put on record
            why = refusal(e)
            if why is None:
                raise
        else:
            continue
        print(f"pack {pack_id}: {why}", file=sys.stderr, flush=True)
        failed += 1
    return failed


def _pack(
    store: Store, pack_id: str, about: dict[str, Any], execution: Execution,
    stopping: Callable[[], bool], sink: Beside | None,
) -> bool:  # fmt: skip
    """Train one pack, unless somebody else does. Whether it did not fail. Raises: PackLost."""
    pack = read_pack(store, pack_id)
    if closed(store, pack_id):
        return True
    attempt = claim(store, pack_id, about, pack.run_ids)
    if attempt is None:
        return True
    if sink is not None:
        sink.begin(pack_id, attempt)
    return _attempt(store, pack, attempt, execution, stopping)


def _log() -> str | None:
    """The file that this process' standard error goes to, where it is one."""
    named = os.environ.get("ORCHESTRATOR_LOG")
    if named:
        return named
    try:
        target = os.readlink("/proc/self/fd/2")
    except OSError:
        return None  # not Linux, or closed
    return target if Path(target).is_file() else None


def _attempt(
    store: Store, pack: Pack, attempt: Attempt, execution: Execution, stopping: Callable[[], bool]
) -> bool:
    """Train a pack for one attempt and record how it ended. Whether it did not fail."""
    from orchestrator.training.checkpoint import discard, saved
    from orchestrator.training.pack import PackTrainer, Stopped

    earlier = [a for a in attempts(store, pack.pack_id) if a.number < attempt.number]
    finished = set(results(earlier))
    beat = _Heartbeat(attempt, pack)
    try:
        trainer = PackTrainer(pack, attempt, execution, beat.report, stopping)
        beat.device = str(trainer.fabric.device)
        trainer.train(finished, saved(earlier))
    except Stopped:
        end(attempt, "stopped")
    except Exception as e:  # noqa: BLE001 (whatever it was, it is the attempt's recorded end)
        traceback.print_exc()
        first_line = (str(e).strip().splitlines() or [""])[0]
        end(attempt, "failed", f"{type(e).__name__}: {first_line}")
        return False
    else:
        end(attempt, "completed")
        discard(saved([*earlier, attempt]))
    finally:
        beat.close()
    return True


class _Heartbeat:
    """Rewrites progress.json now and then, from a thread, so that a long compilation beats too."""

    def __init__(self, attempt: Attempt, pack: Pack) -> None:
        self.attempt, self.runs = attempt, len(pack.run_ids)
        self.by_length = [run.budget.steps for run in pack.by_length]
        self.models = pack.models
        self.device = ""
        self.state: dict = {"step": 0, "first": 0, "runs": self.runs}
        self.pace = Pace()
        self.written = 0.0
        self.moved = time.monotonic()
        self.closed = threading.Event()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.thread.start()

    def report(self, slots, step: int, share: float) -> None:
        self.moved = time.monotonic()
        self.state = {
            "first": slots.first, "members": len(slots.members), "step": step,
            "steps": self.by_length[slots.first // self.models], "share": share, "runs": self.runs, "device": self.device, "left_s": self.pace.left_s(share),
        }  # fmt: skip
        if time.monotonic() - self.written > 0.5:
            self._write()

    def _write(self) -> None:
        with self.lock:
            self.written = time.monotonic()
            still_s = round(self.written - self.moved, 1)
            write_atomic(self.attempt.progress, seal({**self.state, "still_s": still_s}))

    def _beat(self) -> None:
        while not self.closed.wait(HEARTBEAT_S):
            try:
                self._write()
            except OSError as e:  # a full disk may have room again before training must write
                print(f"no heartbeat: {e}", file=sys.stderr, flush=True)

    def close(self) -> None:
        self.closed.set()
        self.thread.join()


def _die_with(parent: int) -> None:
    """Have the kernel send SIGTERM when the submitting process is gone (Linux).

    `parent`: its number, which is 1 in a container without an init.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(143)


def main() -> None:
    parser = arguments("python -m orchestrator.launch.worker")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this process ends")
    args = parser.parse_args()
    if args.parent is not None:
        _die_with(args.parent)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the submitting process decides
    failed = work(open_store(args.store), args, stop.is_set)
    sys.exit(1 if failed else 143 if stop.is_set() else 0)


if __name__ == "__main__":
    main()
