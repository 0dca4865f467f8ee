"""Size of the filtered queries over that of the unfiltered, rms(q̂) / rms(q).

Of a head over sequences, positions and dimensions; mean over heads. 1 where nothing is filtered;
√((1+γ)² + γ²) for the shear of queries whose neighbours are uncorrelated: how much of the filter is
only a sharper softmax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from orchestrator.measures.forward import Forward


def query_gain(forward: Forward) -> dict[str, Tensor]:
    """Mean over layers."""
    each = _by_layer(forward)
    return {"query_gain": sum(each) / len(each)}


def query_gain_by_layer(forward: Forward) -> dict[str, Tensor]:
    """query_gain_layer0 and so on."""
    return {f"query_gain_layer{i}": x for i, x in enumerate(_by_layer(forward))}


def _by_layer(forward: Forward) -> list[Tensor]:
    def power_H(z_BHTD: Tensor) -> Tensor:
        return z_BHTD.square().mean((0, 2, 3))

    return [
        (power_H(layer.after[0]) / power_H(layer.before[0])).sqrt().mean()
        for layer in forward.layers
    ]
