"""`python -m tests.gpu.prove OUT compile|interpret FAMILY...`: one process, one JSON of proofs.

A process of its own, for it takes a GPU for present (paper.device.pretend) or sets the interpreter.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path


def prove(way: str, families: list[str]) -> dict:
    """{family: {function: what was found}}; `way`: compile or interpret."""
    if way == "interpret":
        os.environ["TRITON_INTERPRET"] = "1"
    import torch

    from orchestrator.bench.paper.device import pretend
    from orchestrator.data_sheets import DEVICES

    torch.set_num_threads(1)
    pretend(DEVICES["h100"])
    one = _interpreted if way == "interpret" else _compiled
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRITON_CACHE_DIR"] = folder
        return {family: one(family, Path(folder)) for family in families}


def _compiled(family: str, folder: Path) -> dict:
    from orchestrator.bench.paper.lower import lower
    from orchestrator.cost import train_flops
    from tests.gpu.families import functions, run_of, width_of
    from tests.gpu.machine import SHARED, compile_kernels

    run, out = run_of(family, small=False), {}
    for name, (function, args) in functions(family).items():
        began = time.monotonic()
        lowered = lower(function, args)
        out[name] = {
            "launches": len(lowered.kernels), "lowered_s": time.monotonic() - began,
            "flops": sum(k.flops for k in lowered.kernels),
            "expected_flops": train_flops(run) // run.budget.steps * width_of(family),
            "bytes": sum(k.bytes for k in lowered.kernels),
            "largest": lowered.largest,
            "fused": [k.name for k in lowered.kernels if "attention" in k.name],
            "used": {
                capability: [dataclasses.asdict(u) for u in
                             compile_kernels(lowered.program, folder, capability)]
                for capability in (SHARED if family != "long" else [90])
            },
            "seconds": time.monotonic() - began,
        }  # fmt: skip
        if (family, name) == ("raw", "step"):
            spilled = compile_kernels(lowered.program, folder, 90, registers=16)
            out[name]["spilled"] = [dataclasses.asdict(u) for u in spilled]
    return out


def _interpreted(family: str, folder: Path) -> dict:
    import torch

    from orchestrator.bench.paper.lower import lower
    from orchestrator.models import attention
    from tests.gpu.attention import CALLS, register
    from tests.gpu.families import small_functions
    from tests.gpu.interpret import interpret

    library, out = register(), {}
    attention.FUSED_LENGTH = 1 if family.startswith("long") else 512
    for name, (function, args) in small_functions(family).items():
        began = time.monotonic()
        lowered = lower(function, args)
        with torch.no_grad():
            want = [t.detach() for t in function(*args)]
            exact = [
                t.detach() for t in small_functions(family, precision="32-true")[name][0](*args)
            ]
        inputs = [*args, *lowered.constants]
        found = {}
        for label, fault in (("difference", False), ("planted", True)):
            if fault and (family, name) != ("raw", "step"):
                continue
            got, launches = interpret(lowered.program, inputs, folder, fault)
            found[label] = max(map(_difference, got, want))
            if label == "difference":
                found["errors"] = [
                    (_error(g, e), _error(w, e)) for g, w, e in zip(got, want, exact, strict=True)
                ]
            found["launches"] = launches
        out[name] = {**found, "seconds": time.monotonic() - began, "fused": dict(CALLS)}
        CALLS.update(forward=0, backward=0)
    library._destroy()
    return out


def _difference(got, want) -> float:
    """Greatest absolute difference over the greatest value; inf where one is not finite."""
    if not (got.isfinite().all() and want.isfinite().all()):
        return float("inf")
    scale = max(1e-30, want.double().abs().max().item())
    return (got.double() - want.double()).abs().max().item() / scale


def _error(got, exact) -> float:
    """Root of the mean square of a difference, over that of the exact values."""
    norm = exact.double().norm().item()
    return (got.double() - exact.double()).norm().item() / max(1e-30, norm)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(prove(sys.argv[2], sys.argv[3:])))
