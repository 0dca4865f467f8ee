"""A sweep of 512 small runs: ours against a careful user's stock Hydra and Lightning.

    python -m tests.benchmarks.peers                       # all of it
    python -m tests.benchmarks.peers --only ours-cold      # one part; what is known is kept in --keep
    python -m tests.benchmarks.peers --only ours-warm,a,b

`ours`: recall, depth 1, raw and norm_matched x 16 γ x 16 seeds, 400 steps, from the command
`orchestrator submit` to the table of `orchestrator collect`, in a fresh store, with empty caches
(cold) and then with those it filled (warm). `a`: peer_app under Hydra's `--multirun` and its basic
launcher, one process, with torch's default threads and with one. `b`: one process of one thread a
run, two at a time. The baselines are sampled, spread over γ and arms, and scaled to 512 runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median

ROOT = Path(__file__).resolve().parents[2]
GAMMAS = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.2, 1.6, 2, 2.5, 3.2)
RUNS = 2 * len(GAMMAS) * 16
SWEEP = f"""
defaults: [config, _self_]
hydra:
  sweeper:
    params:
      model/momentum: raw,norm_matched
      model.momentum.gamma: {",".join(map(str, GAMMAS))}
      seed: range(0,16)
"""
PARTS = ("ours-cold", "ours-warm", "a-default", "a-1", "b")
TARGET = {"a": 10, "b": 25}


def _python(words: list[str], folder: Path, **env: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *words], cwd=folder, check=False, text=True,
        capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit status {done.returncode}\n{done.stderr[-2000:]}")


def ours(folder: Path, caches: Path) -> dict[str, float]:
    """Seconds from command to table, and what was learned."""
    import pandas as pd

    (folder / "sweeps").mkdir()
    (folder / "sweeps/peers.yaml").write_text(SWEEP)
    env = {
        "ORCHESTRATOR_STORE": str(folder / "runs"), "XDG_CACHE_HOME": str(caches / "xdg"),
        "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"), "TMPDIR": str(caches),
    }  # fmt: skip
    begun = time.time()
    _python(["orchestrator", "submit", "peers"], folder, **env)
    _python(["orchestrator", "collect", "peers"], folder, **env)
    seconds = time.time() - begun
    table = pd.read_parquet(folder / "results/peers/table.parquet")
    assert len(table) == RUNS and (table.status == "completed").all(), table.status.value_counts()
    return {"seconds": seconds, **_learned(table.to_dict("records"))}


def _learned(rows: list[dict]) -> dict[str, float]:
    """Median final loss at three γ of the raw arm, to see that both sides learn alike."""
    return {
        f"val_loss, raw, γ = {g}": median(r["val_loss"] for r in rows if r["arm"] == "raw" and r["gamma"] == g)
        for g in (0, 0.5, 1.6) if any(r["arm"] == "raw" and r["gamma"] == g for r in rows)
    }  # fmt: skip


def _results(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("result.json"))]


def a(folder: Path, threads: int | None) -> dict[str, float]:
    """Seconds of 512 runs in one process, from the start of the process once and each run's own."""
    begun = time.time()
    words = ["--multirun", "arm=raw,norm_matched", "gamma=0,0.2,0.5,1.6", "seed=0"]
    if threads:
        words.append(f"threads={threads}")
    _python(["tests.benchmarks.peer_app", *words, f"hydra.sweep.dir={folder}/a"], folder)
    ended, rows = time.time(), _results(folder / "a")
    start = min(r["begun"] for r in rows) - begun
    each = (ended - begun - start) / len(rows)
    return {"seconds": start + RUNS * each, "start_s": start, "run_s": each, "sampled": len(rows),
            **_learned(rows)}  # fmt: skip


def b(folder: Path) -> dict[str, float]:
    """Seconds of 512 runs, a process each, two at a time."""
    begun = time.time()
    jobs = [("raw", 0), ("norm_matched", 0.2), ("raw", 0.5), ("norm_matched", 1.6)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for pair in (jobs[:2], jobs[2:]):
        running = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.peer_app", f"arm={arm}",
                 f"gamma={gamma}", "threads=1", f"hydra.run.dir={folder}/b/{arm}{gamma}"],
                cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for arm, gamma in pair
        ]  # fmt: skip
        assert [p.wait() for p in running] == [0, 0]
    wall, rows = time.time() - begun, _results(folder / "b")
    return {"seconds": wall / len(jobs) * RUNS, "run_s": 2 * wall / len(jobs), "sampled": len(rows),
            "trained_s": mean(r["ended"] - r["begun"] for r in rows), **_learned(rows)}  # fmt: skip


def measure(part: str, caches: Path) -> dict[str, float]:
    """One part, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if part.startswith("ours"):
            return ours(folder, caches)
        return b(folder) if part == "b" else a(folder, 1 if part == "a-1" else None)


def show(known: dict[str, dict[str, float]]) -> None:
    """Every part, and the ratios of those that are known."""
    for part in PARTS:
        if part in known:
            print(part, " ".join(f"{k}: {v:.4g};" for k, v in known[part].items()))
    faster = min((p for p in ("a-default", "a-1") if p in known), default=None,
                 key=lambda p: known[p]["seconds"])  # fmt: skip
    for name, part in (("a", faster), ("b", "b" if "b" in known else None)):
        for temperature in ("cold", "warm"):
            if part and f"ours-{temperature}" in known:
                ratio = known[part]["seconds"] / known[f"ours-{temperature}"]["seconds"]
                print(f"{ratio:.1f} times faster than ({name}) [{part}, sampled and scaled to "
                      f"{RUNS} runs], {temperature} caches; demanded: {TARGET[name]}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "peers",
                        help="folder for what is known and for our caches")  # fmt: skip
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    kept = args.keep / "known.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for part in args.only.split(","):
        caches = args.keep / "caches"
        if part == "ours-cold" and caches.exists():
            caches.rename(args.keep / f"caches-{time.time_ns()}")
        caches.mkdir(exist_ok=True)
        known[part] = {**measure(part, caches), "load": os.getloadavg()[0]}
        kept.write_text(json.dumps(known, indent=1))
    show(known)


if __name__ == "__main__":
    main()
