"""Time, memory and files of plan, submit, status and collect for a sweep of any size.

    python -m tests.cluster.scale --runs 1000 10000 100000

Slurm is a stand-in that takes every job at once; results are made up, one file a pack, as the
jobs would have written them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestrator.records.attempts import claim, end
from orchestrator.records.commits import commit
from orchestrator.records.packs import read_pack
from orchestrator.records.store import append_lines, open_store

SWEEP = """
defaults: [config, _self_]
execution: {pack: 64, compile: "off"}
cluster: {processes: 1, max_jobs: 2000}
hydra:
  sweeper:
    params:
      model.momentum.gamma: 0,0.1,0.2,0.4,0.8,1.6,3.2,5.0,6.0,7.0
      model.depth: 1,2,3,4
      optim.lr: 0.001,0.002,0.003,0.004,0.005
      seed: range(0,SEEDS)
"""
SHIMS = {
    "sbatch": "echo 1",
    "scontrol": 'echo "MaxArraySize            = 1001"',
    "srun": "true",
    "squeue": "true",
    "sacct": "true",
}
MEASURE = """
import contextlib, io, json, resource, sys, time
begun = time.perf_counter()
from orchestrator.cli import main
said, code = io.StringIO(), 0
try:
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        main(sys.argv[1:])
except SystemExit as e:
    code = e.code
print(json.dumps([code, time.perf_counter() - begun, time.process_time(),
                  resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, said.getvalue()]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 10000])
    for runs in parser.parse_args().runs:
        with tempfile.TemporaryDirectory() as folder:
            for row in measured(Path(folder), runs):
                print(row, flush=True)


def measured(folder: Path, runs: int) -> list[str]:
    """One line a verb, for a sweep of `runs` runs (a multiple of 200)."""
    import json

    (folder / "bin").mkdir()
    for name, body in SHIMS.items():
        path = folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    (folder / "big.yaml").write_text(SWEEP.replace("SEEDS", str(runs // 200)))
    environment = {
        **os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "ORCHESTRATOR_STORE": str(folder / "runs"),
    }  # fmt: skip
    out = []
    for verb in ("plan", "submit", "status", "collect"):
        words = [verb, "big.yaml", "cluster=slurm", "cluster.processes=1",
                 "cluster.max_jobs=2000"] if verb in ("plan", "submit") else [verb, "big"]  # fmt: skip
        if verb == "collect":
            finish(folder / "runs")
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *words], cwd=folder, env=environment,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        code, wall, cpu, memory, said = json.loads(done.stdout)
        if code:
            raise RuntimeError(said)
        files = sum(len(names) for _, _, names in os.walk(folder / "runs"))
        out.append(
            f"{runs} runs: {verb}: {wall:.1f} s, {cpu:.1f} s of CPU ({1000 * cpu / runs:.2f} ms a "
            f"run), {memory:.0f} MB; {files} files in the store"
        )
    return out


def finish(root: Path) -> None:
    """Write every pack's results as a job would: made-up numbers, one attempt a pack."""
    store = open_store(root)
    for path in store.packs.iterdir():
        pack = read_pack(store, path.name)
        about = {"git_commit": None, "code_version": "made up", "packages": {}, "log": None}
        attempt = claim(store, path.name, about)
        width, members = pack.frozen.width, pack.run_ids
        for index, first in enumerate(range(0, len(members), width)):
            ids = members[first : first + width]
            n = len(ids)
            curve = [
                {"first": first, "step": step, "tokens": step, "eval_total": 64,
                 "val_loss": [0.5] * n, "accuracy": [0.5] * n, "eval_correct": [32] * n,
                 "train_loss": [0.5] * n, "grad_norm": [0.5] * n, "lr": [0.5] * n}
                for step in range(1, 21)
            ]  # fmt: skip
            append_lines(attempt.curves, curve)
            rows = [
                {"run_id": run, "status": "completed", "val_loss": 0.5, "accuracy": 0.5,
                 "eval_correct": 32, "eval_total": 64, "mean_loss": 0.5, "steps_to_solve": None,
                 "steps": 20, "tokens": 20, "wall_s": 1.0}
                for run in ids
            ]  # fmt: skip
            commit(attempt, index, rows, curve)
        end(attempt, "completed")


if __name__ == "__main__":
    main()
