"""A trained run's parameters from the store: those of the attempt whose result counts, if kept."""

from __future__ import annotations

import torch
from torch import Tensor

from orchestrator.records.attempts import attempts
from orchestrator.records.store import Store, read_lines


def kept_weights(store: Store, pack_id: str, wanted: set[str]) -> dict[str, dict[str, Tensor]]:
    """Final parameters {name: tensor} of each wanted run of a pack that kept them.

    Of several attempts the lowest that finished the run and kept its weights; a resumed pack has
    the weights of its earlier slices in an earlier attempt.
    """
    out: dict[str, dict[str, Tensor]] = {}
    for attempt in attempts(store, pack_id):
        finished = {row["run_id"] for row in read_lines(attempt.results)} & (wanted - out.keys())
        for path in sorted(attempt.folder.glob("weights-*.pt")) if finished else []:
            kept = torch.load(path, map_location="cpu", weights_only=True)
            sizes = [torch.Size(shape) for shape in kept["shapes"]]
            for run_id, params_P in zip(kept["run_ids"], kept["params"], strict=True):
                if run_id in finished:
                    parts = params_P.split([size.numel() for size in sizes])
                    named = zip(kept["names"], parts, sizes, strict=True)
                    out[run_id] = {name: part.view(size) for name, part, size in named}
    return out
