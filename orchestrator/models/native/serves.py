"""Which runs our C++ trains on a CPU; everything else runs torch's operations. No torch here.

Guarantee: a run is served only if every field of its model, its optimiser and itself stands below. A
new field, a field of somebody's own model, an unknown value: not served, until somebody says here
that train.cpp does what it says, or that it does not reach train.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.config import RunConfig
from orchestrator.cost import parameters
from orchestrator.identity import flatten, plain_dict

LONGEST = 256
"""Longest sequence: a longer one's scores leave the cache."""
WIDEST = 128
"""Widest residual stream: a wider one's weights leave the cache (docs/notebook.md, "The step")."""
LARGEST = 2**16
"""Largest of all other sizes, and MOST the most parameters: check.h refuses larger ones."""
MOST = 2**30


def _any(value: Any) -> bool:
    return True


def _only(*served: Any) -> Callable[[Any], bool]:
    return lambda value: value in served


FIELDS: dict[str, Callable[[Any], bool]] = {
    "precision": _only("32-true"),
    # Starting values and data are torch's, and tensors by then.
    **dict.fromkeys(("seed", "seed_init", "seed_data"), _any),
    "measures": _any,  # torch's, on the parameters as they are
    "model.depth": _any,
    "model.width": lambda width: width <= WIDEST,
    "model.heads": _any,
    "model.head_dim": _any,
    "model.mlp_ratio": _any,
    "model.tied_head": _any,
    "model.rope_base": _any,
    "model.init_scale": _any,
    # Factors of starting values, of each rate and of each epsilon.
    **dict.fromkeys((f"model.{name}" for name in (
        "parametrisation", "base_width", "base_depth", "embedding_multiplier")), _any),
    "model.attention": _only(None),
    "model.momentum.arm": _any,
    # Taps, whatever they were made of.
    **dict.fromkeys((f"model.momentum.{name}" for name in (
        "gamma", "angle", "taps", "smoothing", "kernel", "norm", "layers")), _any),
    "model.momentum.streams": lambda streams: "v" not in streams,
    "model.momentum.placement": _only("post_rope"),
    "model.momentum.learn": _only("none"),
    "model.momentum.learn_per": _any,  # of nothing
    "model.momentum.operator": _only(None),
    **dict.fromkeys(("optim.lr", "optim.weight_decay", "optim.clip"), _any),
    **dict.fromkeys(("optim.beta1", "optim.beta2", "optim.eps"), _any),
    # The schedule is a factor of each step.
    **dict.fromkeys((f"optim.{name}" for name in (
        "warmup", "schedule", "decay_fraction", "final")), _any),
}  # fmt: skip
"""Every field that train.cpp knows, and which of its values."""

ELSEWHERE = ("task", "budget")
"""Groups that reach train.cpp as vocabulary, length, scored positions and batches alone."""


def serves(run: RunConfig) -> bool:
    """Whether models/native/train.cpp trains a run as the torch operations would."""
    tree = {k: v for k, v in plain_dict(run).items() if k not in ELSEWHERE}
    fields = dict(flatten(tree))
    if fields.keys() != FIELDS.keys() or not all(FIELDS[k](v) for k, v in fields.items()):
        return False
    m, task = run.model, run.task
    sizes = (m.depth, m.heads * m.size_of_head, m.hidden, task.vocab)
    fits = max(sizes) <= LARGEST and parameters(run) <= MOST
    return fits and 1 <= task.length <= LONGEST and len(range(task.length)[task.scored]) > 0
