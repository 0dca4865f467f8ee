"""5,100 runs on one GPU, in pieces: `python -m tests.benchmarks.gpu`, again until it says it is done.

    python -m tests.benchmarks.gpu --minutes 9                  # goes on where the last piece stopped
    python -m tests.benchmarks.gpu --peer                       # baseline (a), a run at each of 4 depths
    python -m tests.benchmarks.gpu --minutes 1 'model.depth=1,2' 'seed=0' budget.steps=20   # a trial

Every piece is `orchestrator submit recall_5100`, stopped as Ctrl-C stops it; the sum of their wall
times, collecting and fitting included, stands in FOLDER/pieces.json. Momentum's share on the GPU:
`orchestrator bench model=small model.depth=6 execution.device=cuda execution.width=425`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("recall_5100.yaml")
SWEEP = FILE.stem
WIDTH = 425
"""All runs of one depth: a pack, and a call of the step; halved where memory does not take it."""
PEER = [
    "accelerator=auto", "depth=1,4,9,12", "width=64", "mlp_ratio=4", "pairs=8", "vocab_half=32",
    "steps=500", "gamma=0.2",
]  # fmt: skip
STOP_S = 60.0
"""Seconds of a piece kept for checkpointing."""


def piece(folder: Path, overrides: list[str], seconds: float) -> bool:
    """Train for at most about `seconds`; whether all is trained."""
    words = [f"execution.width={WIDTH}", f"execution.pack={WIDTH}", *overrides]
    job = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "submit", str(FILE), *words],
        cwd=folder,
        env=_env(folder),
    )
    try:
        code = job.wait(max(1.0, seconds - STOP_S))
    except subprocess.TimeoutExpired:
        job.send_signal(signal.SIGINT)
        job.wait()
        return False
    if code:
        sys.exit(f"orchestrator submit: exit status {code}")
    return True


def finish(folder: Path) -> Path:
    """Collect and fit; the table."""
    table = folder / "results" / SWEEP / "table.parquet"
    for words in (["orchestrator", "collect", SWEEP], ["analysis", "fit", str(table)]):
        subprocess.run([sys.executable, "-m", *words], cwd=folder, env=_env(folder), check=True)
    return table


def peer(folder: Path) -> float:
    """Seconds a run of baseline (a), without its start: the mean over depths 1, 4, 9 and 12."""
    words = [*PEER, f"hydra.sweep.dir={folder}/peer"]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.peer_app", "--multirun", *words],
        cwd=folder, env=_env(folder), check=True,
    )  # fmt: skip
    rows = [json.loads(p.read_text()) for p in (folder / "peer").rglob("result.json")]
    return mean(r["ended"] - r["begun"] for r in rows)


def _env(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "ORCHESTRATOR_STORE": str(folder / "runs")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9, help="longest piece")
    parser.add_argument(
        "--folder", type=Path, default=Path("recall_5100"), help="where all is kept"
    )
    parser.add_argument("--peer", action="store_true", help="sample baseline (a) instead")
    parser.add_argument("overrides", nargs="*", help="as for `orchestrator submit`")
    args = parser.parse_args()
    folder = args.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "pieces.json"
    known = json.loads(kept.read_text()) if kept.exists() else {"pieces_s": []}
    if args.peer:
        known["peer_run_s"] = peer(folder)
    else:
        begun = time.time()
        done = piece(folder, args.overrides, 60 * args.minutes)
        table = finish(folder) if done else None
        known["pieces_s"].append(time.time() - begun)
        if table is not None:
            import pandas as pd

            rows = pd.read_parquet(table)
            known |= {"runs": len(rows), "devices": sorted(set(rows.device))}
    kept.write_text(json.dumps(known, indent=1))
    total = sum(known["pieces_s"])
    print(
        f"{len(known['pieces_s'])} pieces, {total / 60:.1f} min in all (demanded of 5,100 runs: 30)"
    )
    if "runs" not in known:
        print("not all is trained: run it again")
        return
    print(f"done: {known['runs']} runs on {', '.join(known['devices'])}")
    if "peer_run_s" in known:
        ratio = known["peer_run_s"] / (total / known["runs"])
        print(
            f"{ratio:.0f} times faster a run than (a), {known['peer_run_s']:.1f} s (demanded: 100)"
        )


if __name__ == "__main__":
    main()
