"""A process beside a job: it tails the job's records and sends what is new to W&B.

The job tells it by a line on standard input ("pack attempt") what it begins, and by closing that
pipe that it has ended; a job that is killed closes it too. Whatever W&B does, training is in
another process and waits for nothing; this one runs at the lowest priority and ends on its own.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrator.records.manifests import read_sweep
from orchestrator.records.packs import read_pack
from orchestrator.records.store import Store, open_store
from orchestrator.settings import Tracking
from orchestrator.tracking.content import Identity
from orchestrator.tracking.feed import PackFeed, Stream
from orchestrator.tracking.marker import mark
from orchestrator.tracking.sender import Sender, client_folder, quiet_client, warn
from orchestrator.tracking.server import base_url, switched_off, unreachable
from orchestrator.tracking.whole import SweepFeed

PROBE_EVERY_S = 15.0
"""Seconds between two questions to the server whether it is there."""
RETRY_S = 30.0
"""Seconds until a run that W&B did not open is tried again."""
AT_ONCE = 8
"""Runs opened or finished at once: each waits for the network most of the time."""


class Sink:
    """All that one job sends."""

    def __init__(
        self, store: Store, sweep: str, tracking: Tracking, job_pid: int, folder: Path
    ) -> None:
        self.store, self.tracking, self.job_pid = store, tracking, job_pid
        self.sweep, self.folder = read_sweep(store, sweep), folder
        self.url = base_url()
        self.feeds: list[PackFeed | SweepFeed] = []
        self.warned: set[str] = set()
        self.probed = -PROBE_EVERY_S
        self.reachable = False
        self.lock = threading.Lock()
        self.with_stats: Identity | None = None
        self.pool = ThreadPoolExecutor(AT_ONCE)

    def begin(self, pack_id: str, number: int) -> None:
        """The job has begun an attempt."""
        if self.tracking.granularity == "sweep":
            if not self.feeds:
                self.feeds.append(SweepFeed(self.store, self.sweep.name))
            return
        feed = PackFeed(
            self.store, read_pack(self.store, pack_id), number, self.sweep,
            self.tracking.granularity,
        )  # fmt: skip
        mark(feed.attempt, self.url)
        self.feeds.append(feed)

    def look(self) -> None:
        """Read and send what is new, where the server is there."""
        if not self.feeds or not self._server():
            return
        for feed in self.feeds:
            feed.look()
        self._flush()
        self.feeds = [f for f in self.feeds if not f.done]

    def close(self) -> list[str]:
        """The job has ended: send the rest. Returns the W&B ids of runs not wholly sent."""
        self.probed = -PROBE_EVERY_S
        deadline = time.monotonic() + self.tracking.finish_s
        while self.feeds and time.monotonic() < deadline:
            self.look()
            if not self.reachable:
                break
            for feed in self.feeds:
                feed.job_ended()
            left = [s for f in self.feeds for s in f.streams.values() if not s.idle]
            if left and all(s.not_before > deadline for s in left):
                break  # the client refused them all: no try is left in the time there is
            time.sleep(min(0.2, self.tracking.poll_s))
        return [s.identity.id for f in self.feeds for s in f.streams.values() if not s.closed]

    def _server(self) -> bool:
        """Whether the server answers, asked now and then."""
        if time.monotonic() - self.probed >= PROBE_EVERY_S:
            reason = unreachable(self.url)
            self.probed, self.reachable = time.monotonic(), reason is None
            if reason is not None:
                self._warn_once("server", f"{self.url} can't be reached ({reason}); training "
                                "goes on, `orchestrator push` sends what is missing")  # fmt: skip
        return self.reachable

    def _warn_once(self, kind: str, text: str) -> None:
        with self.lock:
            if kind not in self.warned:
                self.warned.add(kind)
                warn(text)

    def _flush(self) -> None:
        now = time.monotonic()
        due = [
            s for f in self.feeds for s in f.streams.values() if not s.idle and now >= s.not_before
        ]
        list(self.pool.map(self._flush_one, due))

    def _flush_one(self, stream: Stream) -> None:
        try:
            stream.flush(self._open)
        except Exception as e:  # noqa: BLE001  the tracker's failure, whatever it is, costs a line
            stream.failed(RETRY_S)
            first = (str(e).strip().splitlines() or [""])[0]
            self._warn_once("client", f"{type(e).__name__}: {first}; training goes on, "
                            "`orchestrator push` sends what is missing")  # fmt: skip
        if stream.closed and self.with_stats is stream.identity:
            self.with_stats = None

    def _open(self, identity: Identity) -> Sender:
        with self.lock:  # one run of the job at a time carries its system metrics
            carries = self.with_stats is None
            if carries:
                self.with_stats = identity
        try:
            return Sender(identity, self.tracking, self.folder, self.job_pid if carries else None)
        except BaseException:
            if carries:
                self.with_stats = None
            raise


def serve(sink: Sink, poll_s: float) -> None:
    """Follow the job until its end of the pipe is closed."""
    buffer = b""
    while True:
        ready, _, _ = select.select([0], [], [], poll_s)
        if ready:
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                pack_id, number = line.decode().split()
                sink.begin(pack_id, int(number))
        sink.look()


def give_way(nice: int) -> None:
    """Take what training leaves of the processor, this process and the client it starts.

    Where Linux groups processes by session (sched_autogroup), niceness counts within the session
    alone, so the session gets it too.
    """
    os.nice(nice)
    group = Path("/proc/self/autogroup")
    if group.exists():
        try:
            group.write_text(str(nice))
        except OSError as e:
            warn(f"{group}: {e.strerror}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m orchestrator.tracking.sink")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--sweep", required=True)
    parser.add_argument("--tracking", type=json.loads, required=True)
    parser.add_argument("--pid", type=int, required=True)
    args = parser.parse_args()
    tracking = Tracking(**args.tracking)
    give_way(tracking.nice)
    off = switched_off()
    if off:
        warn(f"{off}: nothing is sent, `orchestrator push` can do so later")
        sys.exit(0)
    quiet_client()
    with client_folder() as folder:
        tempfile.tempdir = str(folder)  # where the client, too, puts what it forgets
        sink = Sink(open_store(args.store), args.sweep, tracking, args.pid, folder)
        serve(sink, tracking.poll_s)
        # whatever the client waits for, this process is gone soon after its time
        watchdog = threading.Timer(tracking.finish_s + 10, os._exit, [1])
        watchdog.daemon = True
        watchdog.start()
        left = sink.close()
    if left:
        warn(f"{len(left)} W&B runs lack rows; `orchestrator push {args.sweep}` sends them")
    sys.stderr.flush()
    os._exit(0)  # the client's own exit hooks would wait for the server


if __name__ == "__main__":
    main()
