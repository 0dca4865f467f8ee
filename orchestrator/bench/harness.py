"""What the harness adds to the bare step: a whole pack trained as a job trains it, records and all."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from orchestrator.bench.clock import now
from orchestrator.config import RunConfig
from orchestrator.records.attempts import claim
from orchestrator.records.packs import Frozen, freeze, new_pack
from orchestrator.records.store import Store
from orchestrator.settings import Execution
from orchestrator.training.pack import PackTrainer

RUNS, SECONDS = 16, 10.0
"""Most runs of the pack, and about how long it may train."""


def harness(run: RunConfig, execution: Execution, frozen: Frozen, step_s: float) -> dict[str, Any]:
    """Seconds a run and step of a pack of one seed, and of that in steps and in evaluations.

    What is neither: starting values, Fabric's loop, batches, checkpoints by the clock, records, in
    a store of their own. `step_s`: the bare step's, from which the pack's size follows.
    """
    steps = run.budget.steps
    count = max(1, min(RUNS, int(SECONDS / (steps * step_s))))
    runs = [dataclasses.replace(run, seed_init=i, seed_data=0) for i in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        pack = new_pack(runs, dataclasses.replace(frozen, width=count))
        freeze(store, pack)
        attempt = claim(store, pack.pack_id, {"code_version": "bench"})
        trainer = PackTrainer(pack, attempt, execution, lambda *_: None, lambda: False)
        device, steps_s, evaluation_s = trainer.core.device, [0.0], [0.0]
        trainer.advance = _timed(trainer.advance, device, steps_s)
        trainer.evaluate = _timed(trainer.evaluate, device, evaluation_s)
        began = now(device)
        trainer.train(set(), [])
        total = now(device) - began
    each = {"total_s": total, "step_s": steps_s[0], "evaluation_s": evaluation_s[0]}
    return {"runs": count, **{k: v / count / steps for k, v in each.items()}}


def _timed(function: Callable, device: torch.device, spent: list[float]) -> Callable:
    def call(*args: Any) -> Any:
        began = now(device)
        out = function(*args)
        spent[0] += now(device) - began
        return out

    return call
