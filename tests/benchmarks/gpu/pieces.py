"""What is asked of a device, a function each: numbers alone, which `page` puts into words."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from orchestrator.bench.clock import best
from orchestrator.bench.limit import peak_flops
from orchestrator.bench.measure import bench
from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.cost import parameters, step_flops, tokens_per_step
from orchestrator.launch.width import memory_bytes
from orchestrator.records.attempts import results
from orchestrator.records.packs import Frozen, freeze, new_pack
from orchestrator.records.store import Store
from orchestrator.settings import Execution
from orchestrator.tasks.induction import Induction
from orchestrator.tasks.recall import Recall
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import training_batches
from orchestrator.training.memory import InParts
from orchestrator.training.pack import PackTrainer
from orchestrator.training.slices import slots_of, start, stepwise
from orchestrator.training.step import STEP_SHARED, Core, over_runs
from tests.benchmarks.gpu import law
from tests.gpu.families import FAMILIES, run_of
from tests.training.attempted import until_done

STEPS = 10


@dataclass(frozen=True)
class Asked:
    """Of which device, in what size, where all is kept, and until when (time.time())."""

    device: str
    small: bool
    folder: Path
    until: float

    @property
    def on(self) -> torch.device:
        return torch.device(self.device)

    @property
    def execution(self) -> Execution:
        return Execution(device=self.device)


def machine(asked: Asked) -> dict[str, Any]:
    """What is measured."""
    found = {"host": platform.node(), "torch": torch.__version__, "device": platform.machine()}
    if asked.device == "cuda":
        about = torch.cuda.get_device_properties(0)
        found |= {
            "device": about.name,
            "memory_bytes": about.total_memory,
            "cuda": torch.version.cuda,
        }
    return found


def correctness(asked: Asked) -> dict[str, Any]:
    """Of every family the greatest relative difference of STEPS losses from the CPU's in float32."""
    out = {}
    for family in FAMILIES:
        run = run_of(family, asked.small)
        plain = dataclasses.replace(run, precision="32-true")
        theirs, ours = losses(plain, torch.device("cpu")), losses(run, asked.on)
        out[family] = ((ours - theirs).abs() / theirs).max().item()
    return out


def losses(run: RunConfig, device: torch.device, steps: int = STEPS) -> torch.Tensor:
    """(steps,) of one run alone, uncompiled."""
    _, call = slice_of(run, 1, device, compiled=False)
    out = []
    for n in range(1, steps + 1):
        state = call(n)
        out.append(state.loss_since[0, 0].item())
        state.loss_since.zero_()
    return torch.tensor(out)


def slice_of(
    run: RunConfig, width: int, device: torch.device, compiled: bool
) -> tuple[InParts, Callable]:
    """The step of a slice, and a call that takes step n of it; what it returns is the state."""
    core = Core(run, device)
    runs = [dataclasses.replace(run, seed=i, seed_init=i, seed_data=0) for i in range(width)]
    state, tensors = start(core, runs, slots_of(width, width)[0])
    step = over_runs(core)[0]
    parts = InParts(lambda: Compiled(step) if compiled else step, STEP_SHARED)
    advance, seen = stepwise(parts), torch.zeros(width, dtype=torch.int64, device=device)
    one = torch.ones(1, dtype=core.dtype, device=device)

    def call(n: int):
        number = torch.tensor([n], device=device)
        batches = training_batches(run, torch.zeros(1, dtype=torch.int64, device=device), number)
        with torch.autocast(device.type, torch.bfloat16, run.precision == "bf16-mixed"):
            advance(state, tensors, *batches, seen, number.to(core.dtype), one)
        return state

    return parts, call


def resumption(asked: Asked) -> dict[str, Any]:
    """Whether a pack that is stopped at every look comes out bit for bit as one that is not."""
    run = run_of("deep_mlp", small=True)
    run = dataclasses.replace(run, budget=Budget(steps=96, batch=8, evals=3, eval_sequences=64))
    runs = [dataclasses.replace(run, seed=i, seed_init=i, seed_data=i) for i in range(4)]
    (whole, _), (stopped, attempts) = (_trained(asked, runs, stops) for stops in (False, True))
    return {"equal": whole == stopped, "runs": len(stopped), "attempts": attempts}


def _trained(asked: Asked, runs: list[RunConfig], stops: bool) -> tuple[dict[str, Any], int]:
    """Losses of a pack's runs, and the attempts that it took."""
    store = Store(asked.folder / f"resumption-{time.time_ns()}")
    pack, tries = new_pack(runs, Frozen(False, False, 1, len(runs))), []
    freeze(store, pack)
    execution = Execution(device=asked.device, checkpoint_s=1e-9)
    until_done(store, pack, tries, lambda attempt: PackTrainer(
        pack, attempt, execution, lambda *_: None, lambda: stops))  # fmt: skip
    found = results(tries).values()
    return {row["run_id"]: (row["val_loss"], row["mean_loss"]) for row in found}, len(tries)


def out_of_memory(asked: Asked) -> dict[str, Any]:
    """A call that memory does not take is halved: how often, and how far losses move."""
    if asked.device == "cpu":
        return {"skipped": "a CPU swaps, and is then ended"}
    run = run_of("deep_mlp", small=False)
    memory = torch.cuda.get_device_properties(0).total_memory
    width = 2 ** (int(2.5 * memory / memory_bytes(run))).bit_length()
    parts, call = slice_of(run, width, asked.on, compiled=False)
    state = call(1)
    alone = losses(run, asked.on, 1)[0].item()
    first = state.loss_since[0, 0].item()
    return {"width": width, "parts": parts.parts, "difference": abs(first - alone) / alone}


def widths(asked: Asked) -> dict[str, Any]:
    """Run-steps a second and bytes of memory by runs a call, with the plan's model of them."""
    run = demo_run(asked.small)
    rows = []
    for width in (1, 4) if asked.small else (1, 4, 16, 64, 256, 1024):
        if asked.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        _, call = slice_of(run, width, asked.on, compiled=not asked.small)
        seconds = best(lambda call=call: call(1), asked.on, 0.2 if asked.small else 2.0)
        used = torch.cuda.max_memory_allocated() if asked.device == "cuda" else None
        rows.append({"width": width, "run_steps_s": width / seconds, "bytes": used,
                     "planned_bytes": width * memory_bytes(run)})  # fmt: skip
    return {"rows": rows}


def demo_run(small: bool) -> RunConfig:
    return RunConfig(
        Recall(), Model(width=16 if small else 32, momentum=Momentum(gamma=0.4)),
        budget=Budget(steps=20 if small else 400),
    )  # fmt: skip


def measured(asked: Asked) -> dict[str, Any]:
    """`orchestrator bench` of three shapes: the step, its limit, momentum's share, the harness."""
    shapes = {
        "demo": demo_run(asked.small),
        "recall_5100, depth 4": RunConfig(
            Recall(8, 8, 32, 32), Model(4, 64, mlp_ratio=4.0, momentum=Momentum(gamma=0.4)),
            budget=Budget(steps=500),
        ),
    }  # fmt: skip
    if asked.small:
        del shapes["recall_5100, depth 4"]
    else:
        shapes["the same in bf16"] = dataclasses.replace(
            shapes["recall_5100, depth 4"], precision="bf16-mixed"
        )
    out = {}
    for name, run in shapes.items():
        found = bench(run, asked.execution)
        keep = (
            "rows",
            "limit_s",
            "share_of_limit",
            "momentum",
            "harness",
            "peak_flops",
            "bytes_per_s",
        )
        out[name] = {k: found[k] for k in keep}
    return out


def paper(asked: Asked) -> dict[str, Any]:
    """The bound by the data sheet of the demo's shape, in a process of its own."""
    try:
        import triton  # noqa: F401
    except ImportError:
        return {"skipped": "Triton is missing"}
    words = ["bench", "--paper", "h100", "--json", f"model.width={demo_run(asked.small).model.width}",
             "model.momentum.gamma=0.4", "execution.width=4"]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "orchestrator", *words], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(law.ROOT)}, check=True)  # fmt: skip
    found = json.loads(done.stdout)
    return {"device": found["device"], "width": found["width"], "each_s": found["step"]["each_s"],
            "launches": found["step"]["launches"]}  # fmt: skip


def peers(asked: Asked) -> dict[str, Any]:
    """Baseline (a) of tests.benchmarks.peers."""
    return law.peer(asked.folder, asked.device, asked.small)


def jax_beside(asked: Asked) -> dict[str, Any]:
    """The same model in JAX (vmap over runs, scan over steps), the best of several numbers of runs."""
    try:
        import jax
    except ImportError:
        return {"skipped": "JAX is missing"}
    from tests.benchmarks.jax_peer import STEPS as SCANNED
    from tests.benchmarks.jax_peer import jax_chunk

    if (asked.device == "cuda") != (jax.default_backend() == "gpu"):
        return {"skipped": f"JAX is on {jax.default_backend()}"}
    run, rows = demo_run(asked.small), []
    for width in (1, 4) if asked.small else (64, 256, 1024):
        call, compile_s = jax_chunk(run, width)
        seconds = best(call, asked.on, 0.2 if asked.small else 2.0)
        rows.append(
            {"width": width, "run_steps_s": width * SCANNED / seconds, "compile_s": compile_s}
        )
    return {"rows": rows}


def the_law(asked: Asked) -> dict[str, Any]:
    """5,100 runs from the command to a law."""
    return law.law(asked.folder / "law", asked.device, asked.small, asked.until)


def language(asked: Asked) -> dict[str, Any]:
    """One step of 125M parameters at T = 1,024 in bf16: share of the peak, momentum's share."""
    size = (
        {"depth": 2, "width": 64, "heads": 2}
        if asked.small
        else {"depth": 12, "width": 768, "heads": 12}
    )
    task = Induction(512 if asked.small else 50304, 32 if asked.small else 512, unique=False)
    times = {}
    for name, gamma in (("with", 0.1), ("without", 0.0)):
        run = RunConfig(
            task, Model(**size, mlp_ratio=4.0, tied_head=True, momentum=Momentum(gamma=gamma)),
            budget=Budget(batch=1 if asked.small else 8), precision="bf16-mixed",
        )  # fmt: skip
        _, call = slice_of(run, 1, asked.on, compiled=not asked.small)
        times[name] = best(lambda call=call: call(1), asked.on, 0.2 if asked.small else 5.0)
    peak, source = peak_flops(asked.on, "bf16-mixed")
    return {
        "parameters": parameters(run), "step_s": times, "tokens_s": tokens_per_step(run) / times["with"],
        "mfu": step_flops(run) / times["with"] / peak, "peak_flops": peak, "peak_is": source,
    }  # fmt: skip


PIECES: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "machine": machine, "correctness": correctness, "resumption": resumption,
    "out_of_memory": out_of_memory, "widths": widths, "bench": measured, "paper": paper,
    "language": language, "jax": jax_beside, "peer": peers, "law": the_law,
}  # fmt: skip
"""In the order of what a short loan should show first."""
