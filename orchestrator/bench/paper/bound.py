"""The least time a step can take on a GPU, by its kernels' bytes and products and a data sheet.

A bound on paper, not a measurement: each buffer moves once a launch at the full bandwidth, products
run at the full peak, generated kernels cost their bytes alone, and nothing waits.
"""

from __future__ import annotations

import warnings
from typing import Any

from orchestrator.bench.paper.device import pretend
from orchestrator.bench.paper.functions import functions
from orchestrator.bench.paper.lower import Kernel, lower
from orchestrator.config import RunConfig
from orchestrator.data_sheets import LAUNCH_S, Device

KINDS = ("generated", "products", "attention")
LIMITS = {"bytes": "memory bandwidth", "flops": "products", "launches": "launches"}


def bound(run: RunConfig, width: int, device: Device) -> dict[str, Any]:
    """Of the step and the evaluation of a slice of `width` runs: launches, bytes, FLOPs, seconds.

    seconds: of all kernels; launch_s: of their launches, outside a CUDA graph; each_s: at least, a
    run and call. Raises: UserError where Triton or a C++ compiler is missing.
    """
    pretend(device)
    warnings.filterwarnings("ignore", message="TensorFloat32")
    out: dict[str, Any] = {"device": device.name, "width": width, "shape": run.shape}
    for name, (function, args) in functions(run, width).items():
        kernels = lower(function, args).kernels
        parts = {kind: [k for k in kernels if kind_of(k) == kind] for kind in KINDS}
        whole = total(kernels, device)
        launch_s = LAUNCH_S * len(kernels)
        by = {k: sum(seconds(x, device)[1] == k and seconds(x, device)[0] for x in kernels)
              for k in ("bytes", "flops")}  # fmt: skip
        limit = "launches" if launch_s > whole["seconds"] else max(by, key=by.__getitem__)
        out[name] = {
            **whole, "parts": {k: total(v, device) for k, v in parts.items() if v},
            "launch_s": launch_s, "each_s": max(launch_s, whole["seconds"]) / width,
            "limit": LIMITS[limit],
            "kernels": [{**vars(k), "seconds": seconds(k, device)[0]} for k in kernels],
        }  # fmt: skip
    return out


def kind_of(kernel: Kernel) -> str:
    """One of KINDS."""
    if not kernel.product:
        return "generated"
    return "attention" if "attention" in kernel.name else "products"


def seconds(kernel: Kernel, device: Device) -> tuple[float, str]:
    """At least, and whether bytes or FLOPs say so."""
    peak = device.plain_flops if kernel.plain else device.tensor_flops
    return max((kernel.bytes / device.bytes_per_s, "bytes"), (kernel.flops / peak, "flops"))


def total(kernels: list[Kernel], device: Device) -> dict[str, Any]:
    """Sums of some launches."""
    return {
        "launches": len(kernels), "bytes": sum(k.bytes for k in kernels),
        "flops": sum(k.flops for k in kernels),
        "seconds": sum(seconds(k, device)[0] for k in kernels),
    }  # fmt: skip


def bound_text(found: dict[str, Any]) -> None:
    """The bound as tables."""
    from rich.console import Console
    from rich.table import Table

    width, console = found["width"], Console(width=80)
    print(f"{found['device']}, {width} run{'s' * (width > 1)} a call; on paper, nothing was run")
    for name in ("step", "evaluate"):
        one = found[name]
        table = Table(name, *("launches", "MB", "GFLOP", "µs at least"))
        for column in table.columns[1:]:
            column.justify = "right"
        for kind, part in {**one["parts"], "all": one}.items():
            table.add_row(
                kind, str(part["launches"]), f"{part['bytes'] / 1e6:.2f}",
                f"{part['flops'] / 1e9:.3f}", f"{part['seconds'] * 1e6:.2f}",
            )  # fmt: skip
        console.print(table)
        launch_s = one["launch_s"]
        print(
            f"at least {one['each_s'] * 1e6:.2f} µs a run and {name}; limit: {one['limit']}\n"
            f"launches one by one: {launch_s * 1e6:.0f} µs at {LAUNCH_S * 1e6:.0f} µs each, "
            f"{launch_s / (launch_s + one['seconds']):.0%} of both together"
        )
