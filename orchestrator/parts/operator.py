"""What a momentum operator must provide, and its trial.

def difference(z_BHTD, taps_HK):
    before = torch.cat((z_BHTD[:, :, :1], z_BHTD[:, :, :-1]), 2)
    return taps_HK[:, 0, None, None] * z_BHTD + taps_HK[:, 1, None, None] * before
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from orchestrator.parts.own import Part, load
from orchestrator.parts.streams import try_streams

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.config import RunConfig


class Operator(Protocol):
    """A function of a head's queries (or keys, or values) along the sequence."""

    def __call__(self, z_BHTD: Tensor, taps_HK: Tensor) -> Tensor:
        """(B, H, T, D), of z's type and device; position t depends on positions up to t.

        Taps (H, K) are those of the layer and stream (models.taps). It is called under `vmap` over
        runs and differentiated: no `.item()`, no `if` on a tensor's value, no in-place writing, no
        randomness, no mixing of sequences. Heads may be mixed.
        """
        ...


def check(run: RunConfig, part: Part) -> None:
    """Raises: UserError where an operator is not what Operator says."""
    from orchestrator.models.taps import filter_taps

    taps_HK = filter_taps(run.model)[0, 0]
    try_streams(run, part, load(part), streams=1, given=(taps_HK,), words="(z_BHTD, taps_HK)")
