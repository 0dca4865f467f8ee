"""GPUs by their data sheets, and what a launch is taken to cost. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

LAUNCH_S = 2e-6
"""Of a kernel outside a CUDA graph: no data sheet has it; the low end of what is commonly said."""


@dataclass(frozen=True)
class Device:
    """One GPU: what the compiler asks of it, and its data sheet's speeds (dense, SXM modules)."""

    name: str
    capability: int
    processors: int
    shared_bytes: int
    """Shared memory one block may have."""
    memory_bytes: int
    bytes_per_s: float
    tensor_flops: float
    """Of bf16 products with float32 sums."""
    plain_flops: float
    """Of float32 products outside the tensor cores, as torch makes them unless told otherwise."""


DEVICES = {
    "a100": Device("A100 SXM 80GB", 80, 108, 163 << 10, 80 << 30, 2.039e12, 312e12, 19.5e12),
    "h100": Device("H100 SXM 80GB", 90, 132, 227 << 10, 80 << 30, 3.35e12, 989e12, 67e12),
    "b200": Device("B200 180GB", 100, 148, 227 << 10, 180 << 30, 8.0e12, 2250e12, 75e12),
}
"""NVIDIA's data sheets of A100 (2021), H100 (2023) and B200 (HGX, 2024)."""


def named(text: str) -> list[Device]:
    """Those whose kind stands in a text, such as a GPU's name or what a cluster's jobs ask for."""
    return [sheet for kind, sheet in DEVICES.items() if kind in text.lower()]
