"""Measures: pure functions of a forward pass to named scalars, columns of both tables."""

from orchestrator.measures.attention_entropy import attention_entropy, attention_entropy_by_layer
from orchestrator.measures.forward import Forward
from orchestrator.measures.query_gain import query_gain, query_gain_by_layer

VERSION = 1
"""Raised whenever a measure of ours gives other numbers; part of the identity of runs that have
measures."""

__all__ = [
    "Forward", "attention_entropy", "attention_entropy_by_layer", "query_gain",
    "query_gain_by_layer",
]  # fmt: skip
