"""`orchestrator bench`: measure the composed shape, keep it in the store, show it."""

from __future__ import annotations

import sys
from typing import Any

from orchestrator.data_sheets import DEVICES
from orchestrator.errors import UserError
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.launcher import launcher
from orchestrator.launch.multirun import run_hydra
from orchestrator.launch.sweeps import shipped
from orchestrator.launch.width import Gpu, on_gpu
from orchestrator.records.measurements import keep
from orchestrator.records.store import Store, open_store


def run_bench(overrides: list[str]) -> dict[str, Any]:
    """Measure one shape where it would be trained: here, or in a job that is queued (`queued` says which).

    Raises: UserError.
    """
    store, one = open_store(), composed(overrides)
    queued = launcher(one.settings).measure(store, overrides)
    return measured_here(store, one) if queued is None else {"queued": queued}


def measured_here(
    store: Store, one: Experiment, place: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Measure one shape on this machine, and keep what is found. Raises: UserError."""
    from orchestrator.bench.measure import bench  # torch only once the words are right

    say = lambda text: print(f"bench: {text}", file=sys.stderr, flush=True)
    measured = {**bench(one.run, one.settings.execution, say), "place": place}
    keep(store, measured)
    return {**measured, "store": str(store.root)}


def run_paper(name: str, overrides: list[str]) -> dict[str, Any]:
    """One shape's bound on a GPU by its data sheet; nothing is kept. Raises: UserError."""
    one = composed(overrides)
    from orchestrator.bench.paper.bound import bound

    sheet = DEVICES[name]
    gpu = Gpu(sheet.memory_bytes, sheet.bytes_per_s)
    return bound(one.run, one.settings.execution.width or on_gpu(one.run, gpu), sheet)


def composed(overrides: list[str]) -> Experiment:
    """The one experiment that the words stand for."""
    found: list[Experiment] = []

    def verb(batch: list[Any]) -> list[Any]:
        if len(batch) != 1:
            raise UserError("bench: takes one shape")
        found.extend(batch)
        return [None]

    run_hydra(shipped("conf") / "config.yaml", overrides, verb)
    return found[0]


def bench_text(measured: dict[str, Any]) -> None:
    """The measurement as a table."""
    from rich.console import Console
    from rich.table import Table

    if "queued" in measured:
        print(measured["queued"])
        return
    table = Table("mode", "width", "run-steps/s", "ms a run-step", "GFLOP/s", "compilation, CPU s")
    for r in measured["rows"]:
        table.add_row(
            r["mode"], str(r["width"]), f"{1 / r['step_s']:.0f}", f"{1e3 * r['step_s']:.2f}",
            f"{r['flops_per_s'] / 1e9:.1f}", f"{r['compile_s']:.1f}" if r["compile_s"] else "",
        )  # fmt: skip
    console = Console()
    console.print(table)
    bound = "multiply-adds" if measured["flops_s"] > measured["state_s"] else "state's bytes"
    print(f"limit {1e3 * measured['limit_s']:.2f} ms a run-step, of its {bound} at"
          f" {measured['peak_flops'] / 1e9:.0f} GFLOP/s ({measured['peak_is']}) and"
          f" {measured['bytes_per_s'] / 1e9:.1f} GB/s; the fastest step is at"
          f" {measured['share_of_limit']:.0%} of it (torch's matrix products alone:"
          f" {1e3 * measured['products_s']:.2f} ms)")  # fmt: skip
    momentum, around = measured["momentum"], measured["harness"]
    step_s, evaluation_s = around["step_s"], around["evaluation_s"]
    print(f"momentum costs {momentum:+.1%} of the step without it")
    print(f"the harness adds {(around['total_s'] - evaluation_s) / step_s - 1:+.1%} to the bare step,"
          f" and evaluations {evaluation_s / step_s:+.1%} ({around['runs']} runs of one seed)")  # fmt: skip
    print(f"kept in {measured['store']}/bench")
