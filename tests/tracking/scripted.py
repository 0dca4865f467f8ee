"""A job without torch: it claims a pack and writes the records that a training would, at a pace.

Run as a process: python -m tests.tracking.scripted STORE SWEEP TRACKING PACE_S HOLD [PACK...]
In the middle of a slice it stands still for as long as there is a file HOLD.
Rows are a function of (run, step), as in a real training, so that attempts agree.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from orchestrator.config import run_config
from orchestrator.records.attempts import attempts, claim, end, results
from orchestrator.records.commits import commit
from orchestrator.records.manifests import Member, new_manifest, write_manifest
from orchestrator.records.packs import Frozen, Pack, freeze, new_pack, read_pack
from orchestrator.records.store import Store, append_lines, open_store
from orchestrator.settings import Tracking
from orchestrator.tracking.beside import beside

TASK = {
    "_target_": "orchestrator.tasks.recall.Recall",
    "pairs": 2, "queries": 2, "keys": 4, "values": 4,
}  # fmt: skip
STEPS = 40
DIVERGED = 1.5
"""γ at which a scripted run diverges."""


def planned(store: Store, sweep: str, packs: int = 2, runs: int = 6, slices: int = 2) -> list[Pack]:
    """Freeze packs of runs that differ in γ, and the manifest of their sweep."""
    out, members = [], []
    for depth in range(1, packs + 1):
        configs = [
            run_config({
                "task": TASK, "budget": {"steps": STEPS, "batch": 2},
                "model": {"depth": depth, "width": 4, "momentum": {"gamma": 0.5 * i}},
            })
            for i in range(runs)
        ]  # fmt: skip
        pack = new_pack(
            configs, Frozen(compile=False, native=False, threads=1, width=-(-runs // slices))
        )
        freeze(store, pack, sweep)
        out.append(pack)
        members += [Member(r, pack.pack_id, "raw", 0) for r in pack.run_ids]
    write_manifest(store, sweep, new_manifest(store, sweep, members, {}, {}))
    return out


def row(pack: Pack, first: int, last: int, step: int) -> dict:
    """What curves.jsonl says of slots first..last at a step; null where a run has diverged."""
    gammas = [pack.runs[i].model.momentum.gamma for i in range(first, last)]
    loss = [None if g == DIVERGED and step > STEPS // 2 else 2 + g - step / 50 for g in gammas]
    n = len(gammas)
    return {
        "first": first, "step": step, "tokens": 14 * step, "val_loss": loss,
        "accuracy": [step / STEPS] * n, "eval_correct": [step] * n, "eval_total": STEPS,
        "train_loss": loss, "grad_norm": [1.0] * n, "lr": [1e-3] * n, "wall_s": 0.1 * step,
    }  # fmt: skip


def result(pack: Pack, slot: int) -> dict:
    """The committed result of a run."""
    loss = row(pack, slot, slot + 1, STEPS)["val_loss"][0]
    return {
        "run_id": pack.run_ids[slot], "status": "diverged" if loss is None else "completed",
        "val_loss": loss, "accuracy": 1.0, "eval_correct": STEPS, "eval_total": STEPS,
        "mean_loss": 1.0, "steps_to_solve": None, "steps": STEPS, "tokens": 14 * STEPS,
        "wall_s": 2.0,
    }  # fmt: skip


def train(store: Store, pack: Pack, sink, pace_s: float, hold: Path | None = None) -> None:
    """One attempt at a pack; it begins again where the last one's finished slices end."""
    attempt = claim(store, pack.pack_id, {"git_commit": None, "code_version": "scripted"})
    assert attempt is not None, "somebody else trains this pack"
    if sink is not None:
        sink.begin(pack.pack_id, attempt)
    done = set(results(attempts(store, pack.pack_id)))
    for index, first in enumerate(range(0, len(pack.run_ids), pack.frozen.width)):
        last = min(first + pack.frozen.width, len(pack.run_ids))
        if set(pack.run_ids[first:last]) <= done:
            continue
        for step in range(1, STEPS + 1):
            append_lines(attempt.curves, [row(pack, first, last, step)])
            time.sleep(pace_s)
            while step == STEPS // 2 and hold and hold.exists():
                time.sleep(0.02)
        curve = [row(pack, first, last, step) for step in range(1, STEPS + 1)]
        commit(attempt, index, [result(pack, i) for i in range(first, last)], curve)
    end(attempt, "completed")


def main() -> None:
    store, sweep, tracking, pace_s, hold = open_store(Path(sys.argv[1])), *sys.argv[2:6]
    sink = beside(store, sweep, Tracking(**json.loads(tracking)))
    for pack_id in sys.argv[6:]:
        train(store, read_pack(store, pack_id), sink, float(pace_s), Path(hold))
    print("trained", flush=True)
    if sink is not None:
        sink.close()


if __name__ == "__main__":
    main()
