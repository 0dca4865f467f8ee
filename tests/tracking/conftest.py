"""A loopback server and an environment in which the real client finds it, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.records.store import Store
from tests.tracking.loopback import KEY, Loopback
from tests.tracking.scripted import planned

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Bench:
    """A store, a server, and the environment that names both."""

    folder: Path
    server: Loopback
    env: dict[str, str]
    store: Store
    processes: list[subprocess.Popen] = field(default_factory=list)

    @property
    def hold(self) -> Path:
        """A job stands still in the middle of its slice for as long as this file is there."""
        return self.folder / "hold"

    def job(self, packs: list, sweep: str = "s", pace_s: float = 0.02, **tracking):
        """Start a scripted job of these packs."""
        usual = {"poll_s": 0.2, "init_s": 60, "finish_s": 60, "nice": 0}
        how = json.dumps({"name": "wandb", **usual, **tracking})
        words = [str(self.store.root), sweep, how, str(pace_s), str(self.hold)]
        words += [p.pack_id for p in packs]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.tracking.scripted", *words], env=self.env, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def planned(self, sweep: str = "s", packs: int = 2, runs: int = 6, slices: int = 2) -> list:
        return planned(self.store, sweep, packs, runs, slices)

    def orchestrator(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *words], env=self.env, cwd=self.folder,
            capture_output=True, text=True, timeout=170, check=False,
        )  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    server = Loopback().start()
    for name in ("home", "tmp", "store"):
        (tmp_path / name).mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    env |= {
        "WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"), "ORCHESTRATOR_STORE": str(tmp_path / "store"),
        "PYTHONPATH": str(ROOT), "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.5",  # else 15 s
    }  # fmt: skip
    out = Bench(tmp_path, server, env, Store(tmp_path / "store"))
    yield out
    server.heal()
    server.kill()
    for process in out.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until(true: Callable[[], bool], seconds: float = 240) -> None:
    """Wait for something that another process brings about."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
