"""A store of its own on the test cluster, a tiny sweep in it, and its table."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from orchestrator.records.jobs import job_arrays
from orchestrator.records.sealed import Damaged
from orchestrator.records.store import Store, inspect
from tests.cluster import lab

METRICS = ["val_loss", "accuracy", "eval_correct", "eval_total", "steps_to_solve", "mean_loss",
           "status", "gamma", "seed"]  # fmt: skip
FAULTY = Path(__file__).resolve().parent / "faulty"
SWEEP = """
defaults: [config, _self_]
model: {{width: 8, depth: 1}}
task: {{pairs: 2, queries: 2, keys: 4, values: 4}}
budget: {{steps: {steps}, evals: 5, eval_sequences: 64, batch: 8}}
execution: {{compile: "off", pack: {pack}, checkpoint_s: 1}}
cluster: {{processes: 1, cpus: 4, max_jobs: 64}}
hydra:
  sweeper:
    params:
      model.momentum.gamma: {gammas}
      seed: {seeds}
"""


@dataclass(frozen=True)
class Sandbox:
    """A folder with a sweep file and a store."""

    folder: Path
    environment: dict[str, str]
    options: list[str] = field(default_factory=list)

    def run(self, *words: str, seconds: float = 240) -> subprocess.CompletedProcess[str]:
        """`orchestrator ...` there."""
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *words], cwd=self.folder, text=True,
            env=self.environment, capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip

    def submit(self, *options: str, seconds: float = 240) -> subprocess.CompletedProcess[str]:
        return self.run("submit", "tiny", "cluster=slurm", *self.options, *options, seconds=seconds)

    def status(self) -> dict[str, Any]:
        out = self.run("status", "tiny", "--json")
        assert out.returncode == 0, out.stderr
        return json.loads(out.stdout)[0]

    def table(self) -> pd.DataFrame:
        """The collected table, by run id."""
        out = self.run("collect", "tiny")
        assert out.returncode == 0, out.stderr
        frame = pd.read_parquet(self.folder / "results/tiny/table.parquet")
        assert frame["run_id"].is_unique
        return frame.set_index("run_id").sort_index()

    def faults(self, *names: str) -> None:
        """Ask for faults, such as sigkill-3 (array task 3)."""
        for name in names:
            (self.folder / "faults" / name).touch()

    def steps(self) -> dict[int, int]:
        """The step of each running array task."""
        out = {}
        for path in self.folder.glob("runs/packs/*/*/progress.json"):
            claim = json.loads(path.parent.with_suffix(".claim").read_text())
            if (path.parent / "end.json").exists() or not claim["slurm"]:
                continue
            out[claim["slurm"]["task"]] = json.loads(path.read_text()).get("step", 0)
        return out

    def claims(self) -> list[dict[str, Any]]:
        """Who began what: all claims of the store that are whole."""
        out = []
        for path in self.folder.glob("runs/packs/*/*.claim"):
            with suppress(Damaged):
                out.append(inspect(path, needs=("pid", "process_start")))
        return [claim for claim in out if claim is not None]

    def finish(self, submissions: int = 1) -> None:
        """Wait for an empty queue, submit once more, and wait again."""
        for _ in range(submissions):
            self.drain()
            out = self.submit()
            assert out.returncode == 0, out.stderr
        self.drain()

    def drain(self, seconds: float = 300) -> None:
        """Wait until nothing of this sandbox's is in the queue, or only what Slurm holds back."""
        names = [*self.benches(), *(a.name for a in job_arrays(Store(self.folder / "runs")))]
        asked = f"--name={','.join(names)}"

        def empty() -> bool:
            rows = lab.ask(self.environment, "squeue", "-h", "-o", "%r", asked).splitlines()
            return all("launch failed" in reason for reason in rows)

        lab.until(empty, seconds, "an empty queue")

    def benches(self) -> list[str]:
        """Names of its jobs of `orchestrator bench`, which leave no record."""
        rows = lab.ask(self.environment, "squeue", "-h", "-o", "%j").splitlines()
        return [name for name in rows if name.startswith("bench-")]

    def begun(self, tasks: int, seconds: float = 180) -> None:
        """Wait until so many tasks train."""
        lab.until(
            lambda: sum(s > 0 for s in self.steps().values()) >= tasks, seconds, "training tasks"
        )


def sandbox(
    folder: Path, environment: dict[str, str], gammas: str, seeds: str, *, pack: int = 2,
    steps: int = 320, chunk_s: float = 1.0, options: tuple[str, ...] = (), params: str = "",
) -> Sandbox:  # fmt: skip
    """Write the sweep, with more `params`, a line each; its jobs sleep `chunk_s` seconds before each
    chunk of steps."""
    (folder / "sweeps").mkdir(parents=True)
    (folder / "faults").mkdir()
    text = SWEEP.format(steps=steps, pack=pack, gammas=gammas, seeds=seeds)
    text += "".join(f"      {line}\n" for line in params.splitlines())
    (folder / "sweeps/tiny.yaml").write_text(text)
    environment = {
        **environment, "FAULTS": str(folder / "faults"), "CHUNK_S": str(chunk_s),
        "OMP_NUM_THREADS": "1", "ORCHESTRATOR_STORE": str(folder / "runs"),
    }  # fmt: skip
    setup = f"cluster.setup=['export PYTHONPATH={FAULTY}']"
    return Sandbox(folder, environment, [setup, *options])


def undisturbed(like: Sandbox, folder: Path) -> pd.DataFrame:
    """The table of the same sweep, trained on this machine without a fault."""
    (folder / "sweeps").mkdir(parents=True)
    (folder / "sweeps/tiny.yaml").write_text((like.folder / "sweeps/tiny.yaml").read_text())
    environment = {**like.environment, "ORCHESTRATOR_STORE": str(folder / "runs")}
    local = Sandbox(folder, environment)
    begun = time.monotonic()
    out = local.run("submit", "tiny", "cluster=local", seconds=600)
    assert out.returncode == 0, f"{time.monotonic() - begun:.0f} s: {out.stderr}"
    return local.table()


def assert_same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Every run once, and its metrics equal bit for bit."""
    assert list(ours.index) == list(theirs.index)
    pd.testing.assert_frame_equal(ours[METRICS], theirs[METRICS], check_exact=True)
