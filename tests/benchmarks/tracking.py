"""Does tracking slow training? One pack of 64 runs, alternated: none, server up, down, hanging.

    python -m tests.benchmarks.tracking                    # 5 minutes a training, 3 rounds
    python -m tests.benchmarks.tracking --seconds 20 --rounds 1 --modes none,up
    python -m tests.benchmarks.tracking --paired           # where the machine's own speed drifts

Prints, for each way: seconds of training (from the records: first evaluation to the pack's end),
CPU seconds of the sending process and its client, rows the server got, and the ratio of medians
to tracking=none. `--paired` alternates within one training instead: every 10 s the sending process and
its client are stopped or go on, and the pace of each span is compared with that of its neighbours.
What is held back while they are stopped is sent when they go on, so half the time carries all of
the cost. The loopback server runs on the same machine and is part of what is measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles

from orchestrator.records.attempts import attempts, results
from orchestrator.records.store import Store
from orchestrator.tracking.server import PROBE_S
from tests.tracking.loopback import KEY, Loopback

ROOT = Path(__file__).resolve().parents[2]
RUNS, EVALS = 64, 110
SPAN_S = 10.0
MODES = ("none", "up", "down", "hang")
TRIALS = (400, 8000)
"""Steps of the two trainings that say how many steps take the seconds asked for."""
SWEEP = """
defaults:
  - config
  - _self_
model: {{depth: 1, width: 16}}
budget: {{steps: {steps}, batch: 8, evals: {evals}, eval_sequences: 64}}
execution: {{compile: "off", pack: 64}}
cluster: {{processes: 1}}
hydra:
  sweeper:
    params:
      model.momentum.gamma: {gammas}
"""


class Spans:
    """Stops and continues the sending processes in turn, and notes training's pace meanwhile."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.sending = True
        self.mark: tuple[float, int] | None = None
        self.paces: list[tuple[bool, float]] = []
        """Whether they were going on, and run-steps a second."""

    def look(self, home: Path, pids: list[int]) -> None:
        """Read how far training is; at the end of a span change over."""
        path = next(home.glob("store/packs/*/0001/progress.json"), None)
        if path is None:
            return
        when, state = path.stat().st_mtime, json.loads(path.read_text())
        done = state.get("first", 0) * self.steps + state.get("members", 0) * state.get("step", 0)
        if not done or path.with_name("end.json").exists():
            self._let(pids, True)
        elif self.mark is None:
            self.mark = (when, done)
        elif when - self.mark[0] >= SPAN_S:
            self.paces.append((self.sending, (done - self.mark[1]) / (when - self.mark[0])))
            self._let(pids, not self.sending)
            self.mark = (when, done)

    def _let(self, pids: list[int], sending: bool) -> None:
        self.sending = sending
        for pid in pids:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGCONT if sending else signal.SIGSTOP)

    def slower(self) -> list[float]:
        """How much slower each sending span went than the mean of the two beside it, in percent."""
        around = zip(self.paces, self.paces[1:], self.paces[2:], strict=False)
        return [50 * (before + after) / pace - 100
                for (_, before), (on, pace), (_, after) in around if on]  # fmt: skip


def train(mode: str, steps: int, spans: Spans | None = None) -> dict[str, float]:
    """One training of the pack in a fresh store."""
    server = Loopback().start()
    if mode == "down":
        server.kill()
    if mode == "hang":
        server.hang()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        gammas = ",".join(f"{0.02 * i:.2f}" for i in range(RUNS))
        sweep = home / "pack.yaml"
        sweep.write_text(SWEEP.format(steps=steps, evals=EVALS, gammas=gammas))
        env = {
            **os.environ, "ORCHESTRATOR_STORE": str(home / "store"), "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": KEY, "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        tracking = [] if mode == "none" else ["tracking=wandb"]
        begun = time.monotonic()
        job = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "submit", str(sweep), *tracking], env=env,
            cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        cpu: dict[int, float] = {}
        while job.poll() is None:
            found = sender_cpu(str(home))
            cpu |= found
            if spans is not None:
                spans.look(home, list(found))
            time.sleep(0.5)
        total = time.monotonic() - begun
        assert job.returncode == 0, f"training failed with tracking {mode}"
        (attempt,) = (home / "store" / "packs").glob("*/0001")
        lines = (attempt / "curves.jsonl").read_text().splitlines()
        ends = list(results(attempts(Store(home / "store"), attempt.parent.name)).values())
        claimed = attempt.with_name("0001.claim").stat().st_mtime
        trained = (attempt / "end.json").stat().st_mtime - claimed
    rows = sum(len(r["history"]) for r in server.all_runs())
    server.heal()
    server.kill()
    return {
        "train_s": trained, "wall_s": sum(r["wall_s"] for r in ends), "job_s": total,
        "sender_cpu_s": sum(cpu.values()), "rows": rows,
        "rows_recorded": sum(len(json.loads(x)["val_loss"]) for x in lines),
    }  # fmt: skip


def sender_cpu(store: str) -> dict[int, float]:
    """CPU seconds by pid of the sinks of this store and of their clients."""
    out, parents = {}, {}
    tick = os.sysconf("SC_CLK_TCK")
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode().split("\0")
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid = int(path.name)
        seconds = (int(fields[11]) + int(fields[12])) / tick
        if "orchestrator.tracking.sink" in words and any(store in w for w in words):
            out[pid] = seconds
        elif words[0].endswith("wandb-core"):
            parents[pid] = (int(fields[1]), seconds)
    return out | {pid: s for pid, (parent, s) in parents.items() if parent in out}


def said(one: dict[str, float]) -> str:
    """One training's numbers in a line."""
    return " ".join(f"{k} {v:.1f}" for k, v in one.items())


def paired(mode: str, steps: int) -> None:
    """Print how much slower training goes while the sending processes do, over one training."""
    spans = Spans(steps)
    one = train(mode, steps, spans)
    slower = spans.slower()
    if len(slower) < 4:
        raise SystemExit(f"only {len(slower)} spans of {SPAN_S:g} s: train longer (--seconds)")
    low, middle, high = quantiles(slower, n=4)
    print(f"{mode}: {said(one)}\n{mode}: {middle:+.1f} % slower while sending, {middle / 2:+.1f} % over "
          f"all (median of {len(slower)} spans; quartiles {low:+.1f}, {high:+.1f})",
          flush=True)  # fmt: skip


def medians(found: dict[str, list[dict[str, float]]]) -> None:
    """Print each way's median of the rounds so far against the first way's."""
    first = next(iter(found))
    base = median(r["wall_s"] for r in found[first])
    for mode, each in found.items():
        middle = median(r["wall_s"] for r in each)
        print(f"{mode}: median {middle:.1f} s, {100 * (middle / base - 1):+.1f} % against "
              f"{first}, of {len(each)}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300, help="of training, each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--paired", action="store_true", help="alternate within a training")
    args = parser.parse_args()
    modes = args.modes.split(",")
    short, long = (train("none", n)["wall_s"] for n in TRIALS)
    each_s = (long - short) / (TRIALS[1] - TRIALS[0])  # without evaluations, whose number stays
    steps = max(400, math.ceil(TRIALS[1] + (args.seconds - long) / each_s))
    print(f"{steps} steps a run, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
          f"probes of {PROBE_S:g} s", flush=True)  # fmt: skip
    if args.paired:
        for mode in modes:
            if mode != "none":
                paired(mode, steps)
        return
    found: dict[str, list[dict[str, float]]] = {mode: [] for mode in modes}
    for i in range(args.rounds):
        turn = modes[i % len(modes) :] + modes[: i % len(modes)]
        for mode in turn:
            one = train(mode, steps)
            if one["rows_recorded"] < 100 * RUNS:
                print(f"only {one['rows_recorded'] / RUNS:.0f} rows a run: train longer")
            found[mode].append(one)
            print(f"round {i + 1} {mode}: {said(one)} load {os.getloadavg()[0]:.1f}", flush=True)
        medians(found)


if __name__ == "__main__":
    main()
