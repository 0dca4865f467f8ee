"""How far packs are, read from their records: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from orchestrator.durations import duration
from orchestrator.launch.pace import Pace
from orchestrator.launch.price import flops
from orchestrator.records.attempts import attempts, results
from orchestrator.records.packs import Pack
from orchestrator.records.store import Store, read_json

LINE_S = 15.0
"""Seconds between lines where there is no terminal."""
FIRST_S = 2.0
"""Seconds before it says what time is left."""


class Progress:
    """Watches packs; weighs them by their FLOPs to say what time is left."""

    def __init__(self, store: Store, packs: list[Pack]) -> None:
        self.store = store
        self.packs = {p.pack_id: p for p in packs}
        self.flops = {p.pack_id: flops(p) for p in packs}
        self.complete: set[str] = set()
        self.total = sum(len(p.run_ids) for p in packs)
        self.console = Console(stderr=True)
        self.bars = Bars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("runs"),
            TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
            console=self.console, disable=not self.console.is_terminal,
        )  # fmt: skip
        self.task = self.bars.add_task("training", total=self.total, left="")
        self.begun = time.monotonic()
        self.pace = Pace()
        self.said = self.begun

    def __enter__(self) -> Self:
        self.bars.start()
        if not self.console.is_terminal:
            packs, runs = len(self.packs), self.total
            print(f"training {runs} runs in {packs} packs", file=sys.stderr, flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def update(self) -> None:
        """Read the records and show how far all packs are."""
        done, share, compiling = 0, 0.0, False
        for pack_id, pack in self.packs.items():
            members = len(pack.run_ids)
            if pack_id in self.complete:
                done += members
                share += self.flops[pack_id]
                continue
            tries = attempts(self.store, pack_id)
            finished = len(results(tries))
            if finished == members:
                self.complete.add(pack_id)
            part = finished / members
            if tries and finished < members:
                state = read_json(tries[-1].progress) or {}
                compiling |= state.get("step") == 0
                part = state.get("share", part)
            done += finished
            share += part * self.flops[pack_id]
        whole = sum(self.flops.values())
        # whoever only waits for others has no packs to watch
        left_s = self.pace.left_s(share / whole if whole else 0.0, after_s=FIRST_S)
        left = "" if left_s is None else f"{duration(left_s)} left"
        note = left or ("starting up" if compiling or not share else "")
        self.bars.update(self.task, completed=done, left=note)
        if not self.console.is_terminal and time.monotonic() - self.said > LINE_S:
            self.said = time.monotonic()
            print(f"{done}/{self.total} runs; {note}", file=sys.stderr, flush=True)
