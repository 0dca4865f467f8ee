"""How many runs one call of the step holds: on a GPU as many as keep it at work and its memory takes.

On paper until a GPU has been measured, and without torch: memory by the tensors of a traced step that live
at once (tests/gpu/test_width.py holds the two together), time by what they move and a data sheet. The
plan freezes what comes out; `execution.width` overrides it, and a call that memory does not take is halved
(training.memory).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.config import Model, RunConfig
from orchestrator.cost import parameters
from orchestrator.data_sheets import DEVICES, LAUNCH_S, named
from orchestrator.launch.gpus import memories
from orchestrator.models import FUSED_LENGTH
from orchestrator.settings import Settings

CPU = 16
"""On a CPU (docs/notebook.md, "Slice width")."""
PACK = 64
"""Most runs of a pack, where a call does not hold more."""
SHARE = 0.8
"""Of a GPU's memory that is planned with."""
UNKNOWN_BYTES = 16e9
"""Memory of a GPU of which nothing is known."""
BUSY = 10
"""Times as long as its launches that a call should work."""
MOVED = 6.5
"""Bytes that a step moves over those that live at once, and LAUNCHES (one step, one layer, one MLP): as
`orchestrator bench --paper` counts them (docs/notebook.md, "Width on a GPU")."""
LAUNCHES = (8, 29, 14)


@dataclass(frozen=True)
class Live:
    """Numbers that live at once in a backward pass, over those of what they go with: parameters; of each
    layer and token the residual stream's, the heads', scores, the hidden and the normed of an MLP; of each
    token the stream's; logits. Fitted to traced steps (docs/notebook.md, "Width on a GPU")."""

    parameters: float
    width: float
    inner: float
    scores: float
    hidden: float
    mlp: float
    stream: float
    logits: float


LIVE = Live(3.2, 2.5, 5.0, 1.3, 2.1, 2.0, 2.2, 2.1)
LIVE_BF16 = Live(3.8, 1.9, 3.8, 0.7, 1.0, 2.0, 1.7, 1.8)
UPDATE = 9.0
"""Of the parameters, while the update makes new ones."""


@dataclass(frozen=True)
class Gpu:
    """What is known of the GPUs that will train."""

    memory_bytes: float
    bytes_per_s: float


def expected(settings: Settings) -> Gpu:
    """By `execution.gpu_memory`; else by the kind that `cluster` names, or this machine has."""
    c = settings.cluster
    asked = " ".join(map(str, (c.gres, c.constraint, c.sbatch.get("gres", ""))))
    sheets = named(asked)
    known = [s.memory_bytes for s in sheets] or ([] if c.name == "slurm" else memories())
    given = settings.execution.gpu_memory
    memory = given * 1e9 if given is not None else min(known, default=UNKNOWN_BYTES)
    return Gpu(
        memory / (1 if c.name == "slurm" else settings.execution.packs_per_gpu),
        min(s.bytes_per_s for s in sheets or DEVICES.values()),
    )


def memory_bytes(run: RunConfig) -> int:
    """Of one run while a step is taken: what lives at once in the backward pass, or in the update."""
    m, task, params = run.model, run.task, parameters(run)
    update = UPDATE * params
    if not isinstance(m, Model):  # what an own model keeps is not known; FLOPs are no guide to it
        return round(4 * 4 * update)
    rows = run.budget.batch * task.length
    scored = run.budget.batch * len(range(task.length)[task.scored])
    inner, scores = m.heads * m.size_of_head, m.heads * task.length * (task.length < FUSED_LENGTH)
    k = LIVE_BF16 if run.precision == "bf16-mixed" else LIVE
    layer = k.width * m.width + k.inner * inner + k.scores * scores + k.hidden * m.hidden
    layer += k.mlp * m.width * (m.hidden > 0)
    backward = (
        k.parameters * params + rows * (m.depth * layer + k.stream * m.width)
        + k.logits * scored * task.vocab
    )  # fmt: skip
    return round((8 if run.precision == "64-true" else 4) * max(update, backward))


def launches(run: RunConfig) -> int:
    """Kernels of a step."""
    step, layer, mlp = LAUNCHES
    hidden = isinstance(run.model, Model) and run.model.hidden > 0
    return step + (run.size("depth") or 1) * (layer + mlp * hidden)


def on_gpu(run: RunConfig, gpu: Gpu) -> int:
    """Runs a call: as many as make its launches a small part of it, and memory takes."""
    each = memory_bytes(run)
    busy = BUSY * launches(run) * LAUNCH_S / (MOVED * each / gpu.bytes_per_s)
    return max(1, min(math.ceil(busy), int(SHARE * gpu.memory_bytes / each)))
