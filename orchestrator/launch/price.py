"""What a pack costs: its models' steps in all lengths, of which those in common are taken once."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.cost import step_flops
from orchestrator.records.packs import Pack
from orchestrator.trunks import steps_to_train


def steps(pack: Pack, wanted: Collection[str]) -> tuple[int, int]:
    """Optimiser steps of those of a pack's runs that are `wanted`: each trained alone, and together."""
    alone = together = 0
    kept = pack.trunk["step"] if pack.trunk else 0
    for model in range(pack.models):
        own = zip(pack.run_ids[model :: pack.models], pack.by_length, strict=True)
        lengths = [run for run_id, run in own if run_id in wanted]
        alone += sum(run.budget.steps for run in lengths)
        together += steps_to_train(lengths) - (kept if lengths else 0)
    return alone, together


def flops(pack: Pack) -> int:
    """FLOPs of training a pack: its runs have one shape, and so one price a step."""
    return step_flops(pack.first) * steps(pack, set(pack.run_ids))[1]
