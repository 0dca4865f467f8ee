"""From trained runs to tidy tables: results/SWEEP/probe/{response,spectra,bands,heads,causal}."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from orchestrator.config import RunConfig
from orchestrator.probe.bands import band_rows
from orchestrator.probe.bode import response_rows
from orchestrator.probe.causal import causal_rows
from orchestrator.probe.heads import head_rows
from orchestrator.probe.spectra import spectra_rows
from orchestrator.probe.trained import Trained, opened
from orchestrator.probe.weights import kept_weights
from orchestrator.records.attempts import attempts, results
from orchestrator.records.manifests import Member, Sweep
from orchestrator.records.packs import read_pack
from orchestrator.records.store import Store
from orchestrator.records.tables import write_parquet

Frames = dict[str, pd.DataFrame]


@dataclass
class Census:
    """What became of a sweep's runs in a probe."""

    probed: int = 0
    without: list[str] = field(default_factory=list)
    """Finished runs that kept no weights."""
    diverged: list[str] = field(default_factory=list)
    """Runs whose weights are not finite: there is nothing to probe."""
    unfinished: list[str] = field(default_factory=list)


def measure(run: RunConfig, parameters: dict[str, Tensor], arm: str, seed: int) -> Frames:
    """All tables of one trained run, each row with what names the run."""
    with torch.no_grad():
        model = Trained(run, parameters)
        tokens_BT, layers = model.record()
        frames = {
            "response": response_rows(model, layers),
            "spectra": spectra_rows(model, layers),
            "bands": band_rows(model, layers),
            "heads": head_rows(model, tokens_BT, layers),
            "causal": causal_rows(model),
        }
    named = {
        "run_id": run.run_id, "arm": arm, "task": run.task.name, "depth": run.model.depth,
        "gamma": run.model.momentum.scalar_gamma, "seed": seed,
    }  # fmt: skip
    for frame in frames.values():
        for at, (key, value) in enumerate(named.items()):
            frame.insert(at, key, pd.Series(value, frame.index, float) if key == "gamma" else value)
    return frames


def measure_sweep(store: Store, sweep: Sweep, census: Census) -> Iterator[Frames]:
    """The tables of every run of a sweep that kept its weights; `census` counts the others."""
    packs: dict[str, dict[str, Member]] = {}
    for member in sweep.members.values():
        packs.setdefault(member.pack_id, {})[member.run_id] = member
    for pack_id, members in packs.items():
        pack = read_pack(store, pack_id)
        done = results(attempts(store, pack_id))
        kept = kept_weights(store, pack_id, set(members))
        for slot, run in enumerate(pack.runs):
            member = members.get(run.run_id)
            if member is None:
                continue
            if run.run_id not in done:
                census.unfinished.append(run.run_id)
            elif done[run.run_id]["status"] == "diverged":
                census.diverged.append(run.run_id)
            elif run.run_id not in kept:
                census.without.append(run.run_id)
            else:
                census.probed += 1
                yield measure(opened(pack, slot), kept[run.run_id], member.arm, member.seed)


def write(folder: Path, found: list[Frames], sweep: str) -> tuple[Frames, list[Path]]:
    """One table of all runs each, and where they lie."""
    frames = {k: pd.concat([f[k] for f in found], ignore_index=True) for k in found[0]}
    about = {"format": 1, "sweep": sweep}
    paths = [write_parquet(folder / f"{k}.parquet", f, about) for k, f in frames.items()]
    return frames, paths
