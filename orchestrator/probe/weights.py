"""A trained run's parameters from the store: those of the attempt whose result counts, if kept."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from orchestrator.records.attempts import attempts, results
from orchestrator.records.damage import set_aside
from orchestrator.records.sealed import Damaged
from orchestrator.records.store import Store
from orchestrator.training.checkpoint import load_whole


def kept_weights(store: Store, pack_id: str, wanted: set[str]) -> dict[str, dict[str, Tensor]]:
    """Final parameters {name: tensor} of each wanted run of a pack that kept them.

    They lie with the attempt whose result counts; damaged ones are set aside and count as not kept.
    """
    out: dict[str, dict[str, Tensor]] = {}
    tries = attempts(store, pack_id)
    found = results(tries)
    for attempt in tries:
        mine = {r for r in wanted if found.get(r, {}).get("attempt") == attempt.number}
        for path in sorted(attempt.folder.glob("weights-*.pt")) if mine else []:
            try:
                kept = load_whole(path)
            except Damaged as e:
                set_aside(path, str(e), os.lstat(path))
                continue
            sizes = [torch.Size(shape) for shape in kept["shapes"]]
            for run_id, params_P in zip(kept["run_ids"], kept["params"], strict=True):
                if run_id in mine:
                    parts = params_P.split([size.numel() for size in sizes])
                    named = zip(kept["names"], parts, sizes, strict=True)
                    out[run_id] = {name: part.view(size) for name, part, size in named}
    return out
