"""Fixtures: one set of overrides shrinks every config for a CPU; every test has its own store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # the width of the screen that pytest was started on

TINY = [
    "model.width=16", "task=recall", "task.pairs=2", "task.queries=2", "task.keys=6",
    "task.values=6", "budget.steps=24", "budget.batch=8", "budget.evals=4",
    "budget.eval_sequences=64", "optim.warmup=4", "execution.compile=off",
    "cluster.processes=1",
]  # fmt: skip


@pytest.fixture
def tiny() -> list[str]:
    """Overrides that make any run train in well under a second."""
    return list(TINY)


@pytest.fixture(autouse=True)
def umask():
    """A submission within this process makes its files private; the next test starts as usual."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def modules(tmp_path_factory: pytest.TempPathFactory):
    """A module that a test wrote goes with it: the next test may write another of that name."""
    before = list(sys.path)
    yield
    sys.path[:] = before
    written = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        places = [vars(module).get("__file__"), *vars(module).get("__path__", ())]
        if any(str(p).startswith(written) for p in places):
            del sys.modules[name]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own, and an empty working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr("orchestrator.parts.own._folder", None)  # an earlier test's
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def sweep_file(store: Path) -> Path:
    """A sweep of 8 tiny runs: two depths, two γ, two seeds."""
    path = Path("sweeps/small.yaml")
    path.parent.mkdir()
    path.write_text(
        "defaults: [config, _self_]\n"
        "sweep: {law: {name: gamma_star, metric: val_loss}}\n"
        "hydra: {sweeper: {params: {model.depth: '1,2', model.momentum.gamma: '0,0.5',"
        " seed: '0,1'}}}\n"
    )
    return path


def orchestrator(*words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *words],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
