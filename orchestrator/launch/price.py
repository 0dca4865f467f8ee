"""What a pack costs: its models' steps in all lengths, of which those in common are taken once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from orchestrator.cost import step_flops
from orchestrator.records.packs import Pack
from orchestrator.trunks import steps_to_train


def steps(pack: Pack, wanted: Collection[str]) -> tuple[int, int]:
    """Optimiser steps of those of a pack's runs that are `wanted`: each trained alone, and together."""
    models = pack.models
    asked = [run_id in wanted for run_id in pack.run_ids]
    alone = together = 0
    for which, count in Counter(zip(*(asked[i : i + models] for i in range(0, len(asked), models)),
                                    strict=True)).items():  # fmt: skip
        lengths = [run for run, mine in zip(pack.by_length, which, strict=True) if mine]
        alone += count * sum(run.budget.steps for run in lengths)
        together += count * (steps_to_train(lengths) - (_kept(pack) if lengths else 0))
    return alone, together


def flops(pack: Pack) -> int:
    """FLOPs of training a pack: its runs have one shape, and so one price a step."""
    return step_flops(pack.first) * pack.models * (steps_to_train(pack.by_length) - _kept(pack))


def _kept(pack: Pack) -> int:
    """Steps that are taken already."""
    return pack.trunk["step"] if pack.trunk else 0
