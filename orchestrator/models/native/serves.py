"""Which shapes our C++ trains on a CPU; everything else runs torch's operations. No torch here."""

from __future__ import annotations

from orchestrator.config import Model, RunConfig
from orchestrator.optimizers.adamw import AdamW

LONGEST = 256
"""Longest sequence: a longer one's scores leave the cache."""
WIDEST = 128
"""Widest residual stream: a wider one's weights leave the cache (docs/notebook.md, "The step")."""


def serves(run: RunConfig) -> bool:
    """Whether models/native/train.cpp holds a run's model and optimiser: float32, the plain filter
    after the rotary embedding on queries and keys, our attention, a short sequence, a narrow
    model, AdamW."""
    m, momentum = run.model, run.model.momentum
    if not isinstance(m, Model) or type(run.optim) is not AdamW:
        return False
    ours = momentum.operator is None and m.attention is None and momentum.learn == "none"
    plain = momentum.placement == "post_rope" and not momentum.filters_values
    small = run.task.length <= LONGEST and m.width <= WIDEST
    return run.precision == "32-true" and ours and plain and small
