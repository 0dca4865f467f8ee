"""Measures the training step of one shape on this machine: eager, compiled, at several widths."""

from __future__ import annotations

import dataclasses
import platform
import resource
import time
from typing import Any

import torch

from orchestrator.bench.clock import best
from orchestrator.bench.limit import product_s, state_s
from orchestrator.config import RunConfig
from orchestrator.cost import train_flops
from orchestrator.models.native.build import chosen
from orchestrator.settings import Execution
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import training_batches
from orchestrator.training.pack import make_fabric
from orchestrator.training.slices import slots_of, start
from orchestrator.training.step import Core, over_runs

WIDTHS = (4, 16)


def bench(run: RunConfig, execution: Execution, say=lambda text: None) -> dict[str, Any]:
    """What this machine does on a run's shape.

    step_s: seconds a run and step; limit_s: the larger of its matrix products alone (torch.bmm) and
    of reading and writing parameters and moments once; compile_s: CPU seconds of a compilation in
    this process and its children, with whatever the caches already held.
    """
    torch.set_num_threads(execution.threads)
    torch.set_flush_denormal(True)
    device = make_fabric(execution, run.precision).device
    core = Core(run, device, chosen(execution.native))
    flops = train_flops(run) / run.budget.steps
    rows = []
    widths = (execution.width,) if execution.width else WIDTHS
    for width in widths:
        for mode in ("eager", "compiled"):
            say(f"width {width}, {mode}")
            row = _step(core, run, width, mode == "compiled", device)
            rows.append({**row, "flops_per_s": flops / row["step_s"]})
    limit = max(product_s(run, widths[-1], device), state_s(run, device))
    fastest = min(rows, key=lambda r: r["step_s"])
    return {
        "device": _name(device), "host": platform.node(), "torch": torch.__version__,
        "threads": execution.threads, "shape": run.shape, "time": time.time(),
        "step_flops": flops, "limit_s": limit, "share_of_limit": limit / fastest["step_s"],
        "rows": rows,
    }  # fmt: skip


def _step(core: Core, run: RunConfig, width: int, compiled: bool, device) -> dict[str, Any]:
    slots = slots_of(width, width)[0]
    seeds = [dataclasses.replace(run, seed=i, seed_init=i, seed_data=i % 2) for i in range(width)]
    state, tensors = start(core, seeds, slots)
    tokens, targets = training_batches(
        run, torch.arange(2, device=device), torch.ones(1, dtype=torch.int64, device=device)
    )
    seen = torch.arange(width, device=device) % 2
    one = torch.ones((), dtype=core.dtype, device=device)
    step = over_runs(core)[0]
    function = Compiled(step) if compiled else step

    def call() -> None:
        state.params, state.mean, state.square, _, _ = function(
            state.params, state.mean, state.square, tensors.taps, tensors.lr,
            tensors.weight_decay, tensors.clip, tokens[0], targets[0], seen, one, one,
        )  # fmt: skip

    began = _cpu_s()
    call()
    spent = _cpu_s() - began
    seconds = best(call, device, 1.0) / width
    mode = "compiled" if compiled else "eager"
    compile_s = max(0.0, spent - seconds * width) if compiled else 0.0
    return {"mode": mode, "width": width, "step_s": seconds, "compile_s": compile_s}


def _cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + child.ru_utime + child.ru_stime


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
