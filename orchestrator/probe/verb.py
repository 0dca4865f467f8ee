"""`orchestrator probe`: of one run the filters' response and, where it kept its weights, all that
is measured on the trained model; of a sweep the same of every run, as tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from orchestrator.errors import UserError
from orchestrator.probe.bode import responses
from orchestrator.probe.progress import counted
from orchestrator.probe.summary import of_run, of_sweep
from orchestrator.probe.tables import Census, measure, measure_sweep, write
from orchestrator.probe.trained import opened
from orchestrator.probe.weights import kept_weights
from orchestrator.records.load import find_run
from orchestrator.records.manifests import read_sweep, sweep_names
from orchestrator.records.store import open_store

KEEP = "train with execution.keep_weights=true (--rerun where a run is done already)"


def probe(name: str, output: Path) -> dict[str, Any]:
    """Probe a sweep where the store has one of that name, else a run; what was found.

    Raises: UserError where there is neither, or where the sweep kept no weights.
    """
    store, stem = open_store(), Path(name).stem if "/" in name else name
    torch.set_num_threads(1)
    if stem not in sweep_names(store):
        return _probe_run(store, name)
    sweep, census = read_sweep(store, stem), Census()
    found = list(counted(measure_sweep(store, sweep, census), len(sweep.members), "probing"))
    if not found:
        raise UserError(f"sweep {stem}: no run of it has weights to probe; {KEEP}")
    frames, paths = write(output / stem / "probe", found, stem)
    return {
        "sweep": stem, "probed": census.probed, "without_weights": len(census.without),
        "diverged": len(census.diverged), "unfinished": len(census.unfinished),
        "cells": of_sweep(frames), "tables": [str(p) for p in paths],
    }  # fmt: skip


def _probe_run(store, name: str) -> dict[str, Any]:
    pack, slot = find_run(store, name)
    run = opened(pack, slot)
    kept = kept_weights(store, pack.pack_id, {run.run_id}).get(run.run_id)
    if kept is None:
        rows = [r.row() for r in responses(run)]
        print(f"run {run.run_id}: no weights kept, so only its filters; {KEEP}", file=sys.stderr)
        return {"run_id": run.run_id, "responses": rows}
    if not all(p.isfinite().all() for p in kept.values()):
        raise UserError(f"run {run.run_id}: it diverged; its weights are not finite")
    frames = measure(run, kept, run.arm, run.seed)
    return {"run_id": run.run_id, **of_run(frames)}
