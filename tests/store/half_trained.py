"""A store with a sweep that is half trained, and what it comes to when it is completed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd

from tests.store.forked import Nobody, in_child, orchestrator

SWEEP = """
defaults: [config, _self_]
model: {width: 8, depth: 1}
task: {pairs: 2, queries: 2, keys: 4, values: 4}
budget: {steps: 24, evals: 4, eval_sequences: 16, curve_sequences: null, batch: 4}
optim: {warmup: 4}
execution: {compile: "off", native: "off", width: 2, checkpoint_s: 1.0e-9}
cluster: {processes: 1}
hydra:
  sweeper:
    params:
      model.depth: DEPTHS
      model.momentum.gamma: 0,0.5
      seed: 0,1
"""
EXACT = ["run_id", "status", "val_loss", "accuracy", "eval_correct", "eval_total", "mean_loss",
         "steps_to_solve"]  # fmt: skip


def sweeps(folder: Path) -> None:
    """Write the sweep files, small and other."""
    (folder / "work" / "sweeps").mkdir(parents=True)
    for name, depths in (("small", "1,2"), ("other", "3")):
        (folder / "work" / "sweeps" / f"{name}.yaml").write_text(SWEEP.replace("DEPTHS", depths))


def made(folder: Path, template: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the store at `template`; the tables that it comes to where nothing disturbs it."""
    sweeps(folder)
    in_child(lambda: half_trained(folder, template))
    undisturbed = folder / "undisturbed"
    shutil.copytree(template, undisturbed)
    complete(folder, undisturbed)
    return tables(folder)


def half_trained(folder: Path, template: Path) -> None:
    """The store that every case begins with."""
    from orchestrator.launch.worker import run as work
    from orchestrator.records.attempts import attempts
    from orchestrator.records.jobs import new_array, record
    from orchestrator.records.measurements import keep
    from orchestrator.records.packs import all_packs
    from orchestrator.records.store import Store
    from orchestrator.settings import Execution

    store = Store(template)
    for words in (("other",), ("small", "model.depth=1")):
        code, said = orchestrator(folder, template, "submit", *words)
        assert code == 0, said
    before = {p.pack_id for p in all_packs(store)}
    # the second pack is frozen, and nobody trains it
    orchestrator(folder, template, "submit", "small", worker=Nobody)
    (pack,) = (p for p in all_packs(store) if p.pack_id not in before)
    looks = iter(range(10**6))
    execution = Execution(device="cpu", checkpoint_s=1e-9)
    work(store, [pack.pack_id], execution, lambda: next(looks) >= 7)
    (attempt,) = attempts(store, pack.pack_id)
    (attempt.folder / "end.json").unlink()  # killed, not stopped
    assert attempt.checkpoint.exists() and attempt.earlier_checkpoint.exists()
    record(store, new_array("small", "0", [[pack.pack_id]], template / "logs"))
    keep(store, {"host": "elsewhere", "rows": []})


def complete(folder: Path, store: Path) -> tuple[int, str]:
    """Submit until nothing is missing, and collect; how often, 3 where twice was not enough."""
    said = ""
    for n in (1, 2):
        code, text = orchestrator(folder, store, "submit", "small")
        said += text
        logs = "".join(p.read_text() for p in (store / "logs").rglob("*.log"))
        said += logs if "Traceback" in logs else ""
        collected, text = orchestrator(folder, store, "collect", "small", "--json")
        said += text
        answer = next((line for line in text.splitlines() if line.startswith("{")), "{}")
        if code == 0 and collected == 0 and json.loads(answer).get("missing") == 0:
            return n, said
    return 3, said


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table and the curves collected last."""
    at = folder / "work" / "results" / "small"
    table, curves = (pd.read_parquet(at / f"{n}.parquet") for n in ("table", "curves"))
    return (
        table.sort_values("run_id", ignore_index=True),
        curves.sort_values(["run_id", "step"], ignore_index=True),
    )
