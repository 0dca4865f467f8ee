"""Train a frozen pack slice by slice inside Lightning Fabric, resuming exactly where it stopped.

What decides the last bits (slots, width, compile, threads) comes from the frozen pack; where to
train, how often to checkpoint and when to stop may differ from attempt to attempt.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import LightningEnvironment

from orchestrator.config import RunConfig
from orchestrator.cost import forward_flops
from orchestrator.models.native.serves import serves
from orchestrator.models.native.trial import trouble
from orchestrator.parts.changes import changed
from orchestrator.records.attempts import Attempt
from orchestrator.records.commits import commit, is_committed
from orchestrator.records.packs import Pack
from orchestrator.records.provenance import code_version
from orchestrator.records.store import append_lines
from orchestrator.settings import Execution
from orchestrator.training import checkpoint
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import curve_batches, evaluation_batches, training_batches
from orchestrator.training.measure import evaluation_row, result_rows
from orchestrator.training.measures import Measures
from orchestrator.training.memory import InParts
from orchestrator.training.native import Native
from orchestrator.training.schedule import evaluation_steps, learning_rate_factor
from orchestrator.training.slices import SliceState, Slots, slots_of, start, stepwise
from orchestrator.training.step import EVALUATE_SHARED, STEP_SHARED, Core, RunTensors, over_runs

CHUNK = 32
"""Most optimiser steps between two looks at the clock."""

EVALUATION_FLOPS = 2e11
"""Forward FLOPs a layer from which compiling the evaluation comes back: 8 s of compilation against
2.2 ms saved a run and 256 sequences (docs/notebook.md, "When compiling pays")."""


class Stopped(Exception):
    """Training was asked to stop; its state is in the checkpoint."""


class Superseded(Stopped):
    """Another attempt has taken the pack over: what this one finds would count no more."""


def make_fabric(execution: Execution, precision: str) -> Fabric:
    """Lightning's harness for one process on one device.

    Raises: RuntimeError where a GPU is asked for and torch sees none.
    """
    if execution.device == "cuda" and not torch.cuda.is_available():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise RuntimeError(
            f"execution.device=cuda: torch {torch.__version__} sees no GPU on {platform.node()} "
            f"(CUDA_VISIBLE_DEVICES: {seen})"
        )
    accelerator = {"auto": "auto", "cpu": "cpu", "cuda": "cuda"}[execution.device]
    # One process, one device, whatever scheduler started it: jobs are ours to lay out.
    plugins = [LightningEnvironment()]
    return Fabric(accelerator=accelerator, devices=1, precision=precision, plugins=plugins)


def device_name(device: torch.device) -> str:
    """What a table says of it: "cpu", or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@dataclass(frozen=True)
class Functions:
    """What trains a shape: its core, and functions over a slice of runs."""

    core: Core
    advance: Callable
    """slices.stepwise"""
    evaluate: Callable
    """step.over_runs"""
    measures: Measures


_made: dict[tuple, Functions] = {}


def functions(pack: Pack, run: RunConfig, device: torch.device) -> Functions:
    """How a slice of a pack's runs, of which `run` is one, is trained and evaluated.

    Those of a process's last shape are kept: packs of one shape compile once.
    """
    frozen = pack.frozen
    native = frozen.native and device.type == "cpu" and serves(run)
    often = frozen.compile and _evaluates_often(run, len(pack.run_ids))
    key = (run.shape_id, frozen.width, frozen.compile, frozen.native, often, str(device))
    if key not in _made:
        _made.clear()
        core = Core(run, device)
        step, evaluate = over_runs(core)
        measures = Measures(core, run)
        if native:
            if (why := trouble()) is not None:
                raise RuntimeError(
                    f"this pack is frozen to train by our C++, which can't be used here: {why}; "
                    "mend that here, or train it on a machine like the one it was planned on"
                )
            ours = Native(run)
            _made[key] = Functions(core, ours.advance, ours.evaluate, measures)
        else:
            steps = InParts(lambda: Compiled(step) if frozen.compile else step, STEP_SHARED)
            evaluations = InParts(
                lambda: Compiled(evaluate) if often else evaluate, EVALUATE_SHARED
            )
            _made[key] = Functions(core, stepwise(steps), evaluations, measures)
    return _made[key]


def _evaluates_often(run: RunConfig, members: int) -> bool:
    """Whether a pack's evaluations pay for their own compilation, which grows with depth too."""
    budget = run.budget
    before = (len(evaluation_steps(budget)) - 1) * (budget.curve_sequences or budget.eval_sequences)
    sequences = members * (before + budget.eval_sequences)
    return sequences * forward_flops(run) / (run.size("depth") or 1) > EVALUATION_FLOPS


def _seeds(runs: list[RunConfig], width: int) -> list[list[int]]:
    """Distinct seed_data of each slice, filled up to as many as any of them has: the compiled
    step sees one shape."""
    each = [sorted({runs[i].seed_data for i in s.members}) for s in slots_of(len(runs), width)]
    most = max(map(len, each))
    return [seeds + seeds[-1:] * (most - len(seeds)) for seeds in each]


class PackTrainer:
    """Trains one pack for one attempt.

    `report(slots, step)` is called at every look at the clock; `stopping()` says whether
    to checkpoint and stop.
    """

    def __init__(
        self, pack: Pack, attempt: Attempt, execution: Execution,
        report: Callable[[Slots, int], None], stopping: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.pack, self.attempt, self.execution = pack, attempt, execution
        self.report, self.stopping = report, stopping
        self.runs: list[RunConfig] = [pack.trainable(i) for i in range(len(pack.run_ids))]
        if [run.run_id for run in self.runs] != pack.run_ids:
            changes = "; ".join(changed(pack.versions, self.runs[0])) or "other code"
            raise RuntimeError(
                f"pack {pack.pack_id} was frozen before a change ({changes}): "
                "submit again to plan its runs anew"
            )
        self.shape = self.runs[0]
        torch.set_num_threads(pack.frozen.threads)
        torch.set_flush_denormal(True)  # denormal moments cost 10-100 times a normal product
        self.fabric = make_fabric(execution, self.shape.precision)
        made = functions(pack, self.shape, self.fabric.device)
        self.core, self.advance, self.evaluate = made.core, made.advance, made.evaluate
        self.measures = made.measures
        self.batches = evaluation_batches(self.shape, self.fabric.device)
        self.seeds = _seeds(self.runs, pack.frozen.width)

    def train(self, finished: set[str], resume: list[Path]) -> None:
        """Train every slice that has an unfinished run.

        `resume`: earlier checkpoints, the latest first; the first that can be used is.
        Raises: Stopped when asked to stop, its state saved; Superseded.
        """
        open_slices = {
            slots.index: slots
            for slots in slots_of(len(self.runs), self.pack.frozen.width)
            if not all(self.runs[i].run_id in finished for i in slots.members)
        }
        found = checkpoint.usable(resume, code_version())
        content = next((c for c in found if c["slice"] in open_slices), None)
        for index, slots in open_slices.items():
            if is_committed(self.attempt, index):
                continue  # by an owner that was taken for dead, in the meantime
            state, tensors = start(self.core, self.runs, slots)
            if content is not None and content["slice"] == index:
                checkpoint.restore(content, state)
                append_lines(self.attempt.curves, state.rows)
            self._train_slice(state, tensors, slots)
            self._commit(state, slots, finished)

    def _train_slice(self, state: SliceState, tensors: RunTensors, slots: Slots) -> None:
        steps = self.shape.budget.steps
        targets = [s for s in evaluation_steps(self.shape.budget) if s > state.evaluated]
        saved = time.monotonic()
        for target in targets:
            while state.step < target:
                begun = time.monotonic()
                norm = self._chunk(state, tensors, slots, min(target, state.step + CHUNK))
                state.wall_s += time.monotonic() - begun
                if state.step == target:
                    self._measure(state, tensors, slots, norm)
                self.report(slots, state.step)
                stop = self.stopping() and state.step < steps
                if stop or time.monotonic() - saved > self.execution.checkpoint_s:
                    self._save(state, slots)
                    saved = time.monotonic()
                if stop:
                    raise Stopped
        if self.execution.keep_weights:
            self._keep(state, slots)

    def _commit(self, state: SliceState, slots: Slots, finished: set[str]) -> None:
        """Commit a slice's results, but for runs that had one already. Raises: Superseded."""
        rows = [r for r in result_rows(state, self.runs, slots) if r["run_id"] not in finished]
        commit(self.attempt, slots.index, rows, state.rows, device_name(self.fabric.device))
        if self.attempt.superseded():
            raise Superseded

    def _measure(
        self, state: SliceState, tensors: RunTensors, slots: Slots, norm: torch.Tensor
    ) -> None:
        begun = time.monotonic()
        last = state.step == self.shape.budget.steps
        batches = self.batches if last else self.batches[: curve_batches(self.shape)]
        measured = self.measures(state.params, tensors.taps, self.batches)
        row = evaluation_row(
            self.core, self.evaluate, state, tensors.taps, batches, norm, measured, self.runs, slots
        )
        state.rows.append(row)
        state.loss_since.zero_()
        state.evaluated = state.step
        append_lines(self.attempt.curves, [row])
        state.wall_s += time.monotonic() - begun

    def _chunk(
        self, state: SliceState, tensors: RunTensors, slots: Slots, until: int
    ) -> torch.Tensor:
        """Optimiser steps up to `until`; returns the last step's gradient norms (W,)."""
        device, dtype = self.core.device, self.core.dtype
        numbers = range(state.step + 1, until + 1)
        seeds = self.seeds[slots.index]
        seen = torch.tensor([seeds.index(self.runs[i].seed_data) for i in slots.padded])
        tokens, targets = training_batches(
            self.shape, torch.tensor(seeds, device=device), torch.tensor(numbers, device=device)
        )
        seen = seen.to(device)
        budget, optim = self.shape.budget, self.shape.optim
        factors = [learning_rate_factor(n, budget.steps, optim) for n in numbers]
        number_C = torch.tensor(numbers, dtype=dtype, device=device)
        factor_C = torch.tensor(factors, dtype=dtype, device=device)
        with self.fabric.autocast():
            norm = self.advance(state, tensors, tokens, targets, seen, number_C, factor_C)
        state.step = until
        return norm

    def _save(self, state: SliceState, slots: Slots) -> None:
        """Write a checkpoint. Raises: Superseded, where it is of no more use."""
        if self.attempt.superseded():
            raise Superseded
        checkpoint.save(self.fabric, self.attempt, slots.index, state, code_version())

    def _keep(self, state: SliceState, slots: Slots) -> None:
        """Final parameters (members, P) and their names and shapes, for forensics."""
        n = len(slots.members)
        checkpoint.write_whole(
            self.fabric,
            self.attempt.folder / f"weights-{slots.index:03d}.pt",
            {
                "run_ids": [self.runs[i].run_id for i in slots.members],
                "params": state.params[:n].cpu().clone(),
                "names": list(self.core.sizes),
                "shapes": [list(s) for s in self.core.sizes.values()],
            },
        )
