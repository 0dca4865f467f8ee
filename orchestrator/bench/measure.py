"""Measures the training step of one shape on this machine, its limit, and what surrounds it."""

from __future__ import annotations

import dataclasses
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import torch

from orchestrator.bench.clock import best, now
from orchestrator.bench.harness import harness
from orchestrator.bench.limit import limit
from orchestrator.config import RunConfig
from orchestrator.cost import train_flops
from orchestrator.models.native.serves import serves
from orchestrator.models.native.trial import chosen
from orchestrator.records.packs import Frozen
from orchestrator.settings import Execution
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import training_batches
from orchestrator.training.native import Native
from orchestrator.training.pack import make_fabric
from orchestrator.training.slices import slots_of, start, stepwise
from orchestrator.training.step import Core, over_runs

WIDTHS = (4, 16)


def bench(run: RunConfig, execution: Execution, say=lambda text: None) -> dict[str, Any]:
    """What this machine does on a run's shape.

    step_s: seconds a run and step; limit_s and what stands with it: limit.limit's; compile_s: CPU
    seconds of a compilation in this process and its children, with whatever the caches already held;
    momentum: the filter's share of the step, against the same step without one; harness: what
    harness.py measures.
    """
    torch.set_num_threads(execution.threads)
    torch.set_flush_denormal(True)
    device = make_fabric(execution, run.precision).device
    native = serves(run) and device.type == "cpu" and chosen(execution.native)
    modes = ("native",) if native else ("eager", "compiled")
    flops = train_flops(run) / run.budget.steps
    rows, calls = [], {}
    widths = (execution.width,) if execution.width else WIDTHS
    for width in widths:
        for mode in modes:
            say(f"width {width}, {mode}")
            calls[mode] = _call(run, width, mode, device)
            compile_s, seconds = _measure(calls[mode], device)
            rows.append({
                "mode": mode, "width": width, "step_s": seconds / width, "compile_s": compile_s,
                "flops_per_s": flops * width / seconds,
            })  # fmt: skip
    say("limit")
    least = limit(run, widths[-1], device)
    fastest = min(rows, key=lambda r: r["step_s"])
    say("momentum")
    plain = _call(run, widths[-1], modes[-1], device, filtered=False)
    momentum = _ratio(calls[modes[-1]], plain, device) - 1
    say("harness")
    frozen = Frozen(modes[-1] == "compiled", native, execution.threads, 1)
    around = harness(run, execution, frozen, fastest["step_s"])
    return {
        "device": _name(device), "host": platform.node(), "torch": torch.__version__,
        "threads": execution.threads, "shape": run.shape, "time": time.time(),
        "step_flops": flops, **least, "share_of_limit": least["limit_s"] / fastest["step_s"],
        "rows": rows, "momentum": momentum, "harness": around,
    }  # fmt: skip


def unfiltered(z_BHTD: torch.Tensor, taps_HK: torch.Tensor) -> torch.Tensor:
    """An operator that is none: what momentum's cost is measured against."""
    return z_BHTD


def _call(
    run: RunConfig, width: int, mode: str, device: torch.device, filtered: bool = True
) -> Callable[[], Any]:
    """One step of `width` runs, as a call."""
    if not filtered and mode != "native":
        momentum = dataclasses.replace(
            run.model.momentum, operator=f"{__name__}.{unfiltered.__name__}"
        )
        run = dataclasses.replace(run, model=dataclasses.replace(run.model, momentum=momentum))
    core = Core(run, device)
    slots = slots_of(width, width)[0]
    seeds = [dataclasses.replace(run, seed=i, seed_init=i, seed_data=i % 2) for i in range(width)]
    state, tensors = start(core, seeds, slots)
    if not filtered and mode == "native":
        tensors = dataclasses.replace(tensors, taps=tensors.taps[..., :0])
    first = torch.ones(1, dtype=torch.int64, device=device)
    tokens, targets = training_batches(run, torch.arange(2, device=device), first)
    seen = torch.arange(width, device=device) % 2
    one = torch.ones(1, dtype=core.dtype, device=device)
    step = over_runs(core)[0]
    if mode == "native":
        advance = Native(run).advance
    else:
        advance = stepwise(Compiled(step) if mode == "compiled" else step)
    return lambda: advance(state, tensors, tokens, targets, seen, one, one)


def _measure(call: Callable[[], Any], device: torch.device) -> tuple[float, float]:
    """CPU seconds of building at the first call, and seconds of a call."""
    began = _cpu_s()
    call()
    spent = _cpu_s() - began
    seconds = best(call, device, 1.0)
    return max(0.0, spent - seconds), seconds


def _ratio(one: Callable[[], Any], other: Callable[[], Any], device: torch.device) -> float:
    """Least time of `one` over that of `other`, taken in turn for about two seconds."""
    other()
    least, end = [float("inf")] * 2, time.monotonic() + 2
    while time.monotonic() < end:
        for i, call in enumerate((one, other)):
            began = now(device)
            call()
            least[i] = min(least[i], now(device) - began)
    return least[0] / least[1]


def _cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + child.ru_utime + child.ru_stime


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
