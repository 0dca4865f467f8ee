"""5,100 runs to a law, in pieces: `orchestrator submit recall_5100`, stopped as Ctrl-C stops it; and
baseline (a) of tests.benchmarks.peers, sampled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
FILE = Path(__file__).with_name("recall_5100.yaml")
SWEEP = FILE.stem
SMALL = ["model.depth=1,2,3", "seed=0", "model/momentum=raw", "budget.steps=20", "model.width=16"]
"""Of the sweep, what a machine without a GPU trains."""
STOP_S = 60.0
"""Seconds of a piece kept for checkpointing."""


class Unfinished(Exception):
    """Not all is trained: the next piece goes on."""


def law(folder: Path, device: str, small: bool, until: float) -> dict[str, Any]:
    """Seconds of all pieces so far, and runs, devices and verdicts. Raises: Unfinished at `until`."""
    folder.mkdir(parents=True, exist_ok=True)
    spent, begun = folder / "seconds.json", time.time()
    before = json.loads(spent.read_text()) if spent.exists() else 0.0
    words = [f"execution.device={device}", *(SMALL if small else [])]
    job = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "submit", str(FILE), *words], cwd=folder, env=_env(folder),
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        code = job.wait(max(1.0, until - time.time() - STOP_S))
    except subprocess.TimeoutExpired:
        job.send_signal(signal.SIGINT)
        job.wait()
        spent.write_text(json.dumps(before + time.time() - begun))
        raise Unfinished from None
    if code:
        raise RuntimeError(f"orchestrator submit: exit status {code}")
    table = folder / "results" / SWEEP / "table.parquet"
    for command in (["orchestrator", "collect", SWEEP], ["analysis", "fit", str(table)]):
        subprocess.run([sys.executable, "-m", *command], cwd=folder, env=_env(folder), check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
    import pandas as pd

    rows = pd.read_parquet(table, columns=["device", "status"])
    laws = json.loads(table.with_name("laws.json").read_text())
    return {
        "seconds": before + time.time() - begun, "runs": len(rows), "devices": sorted(set(rows["device"])),
        "diverged": int((rows["status"] == "diverged").sum()),
        "verdicts": {law["arm"]: law["verdict"] for law in laws},
    }  # fmt: skip


def peer(folder: Path, device: str, small: bool) -> dict[str, Any]:
    """Seconds a run of baseline (a), without its start: the mean over depths 1, 4, 9 and 12."""
    words = [f"accelerator={'gpu' if device == 'cuda' else 'cpu'}", "width=64", "mlp_ratio=4", "pairs=8",
             "vocab_half=32", "gamma=0.2"]  # fmt: skip
    words += ["depth=1", "steps=60"] if small else ["depth=1,4,9,12", "steps=500"]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.peer_app", "--multirun", *words,
         f"hydra.sweep.dir={folder}/peer"],
        cwd=folder, env=_env(folder), check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    rows = [json.loads(p.read_text()) for p in (folder / "peer").rglob("result.json")]
    return {"run_s": mean(r["ended"] - r["begun"] for r in rows), "runs": len(rows)}


def _env(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "ORCHESTRATOR_STORE": str(folder / "runs")}
