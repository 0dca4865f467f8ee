"""What an attention must provide, and its trial.

def linear_attention(q_BHTD, k_BHTD, v_BHTD):
    scores = ((F.elu(q_BHTD) + 1) @ (F.elu(k_BHTD) + 1).transpose(-2, -1)).tril()
    return scores / scores.sum(-1, keepdim=True) @ v_BHTD
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from orchestrator.parts.own import Part, load
from orchestrator.parts.streams import try_streams

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.config import RunConfig


class Attention(Protocol):
    """A function of filtered queries, keys and values."""

    def __call__(self, q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
        """(B, H, T, D), of v's type and device; position t depends on positions up to t.

        It is called under `vmap` over runs and differentiated: no `.item()`, no `if` on a tensor's
        value, no in-place writing, no randomness, no mixing of sequences.
        """
        ...


def check(run: RunConfig, part: Part) -> None:
    """Raises: UserError where an attention is not what Attention says."""
    try_streams(run, part, load(part), streams=3, given=(), words="(q_BHTD, k_BHTD, v_BHTD)")
