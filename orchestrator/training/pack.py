"""Train a frozen pack slice by slice inside Lightning Fabric, resuming exactly where it stopped.

What decides the last bits (slots, width, compile, threads) comes from the frozen pack; where to
train, how often to checkpoint and when to stop may differ from attempt to attempt.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from orchestrator.records.trunks import longest_of, state_path, write_record
from orchestrator.settings import Execution
from orchestrator.training import checkpoint
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import curve_batches, evaluation_batches, training_batches
from orchestrator.training.measure import Found, evaluated, evaluation_row, result_rows
from orchestrator.training.measures import Measures
from orchestrator.training.memory import InParts
from orchestrator.training.native import Native
from orchestrator.training.schedule import evaluation_steps, learning_rate_factor
from orchestrator.training.slices import SliceState, Slots, chunks_of, start, stepwise
from orchestrator.training.step import EVALUATE_SHARED, STEP_SHARED, Core, RunTensors, over_runs
from orchestrator.trunks import shared, stable_end, steps_to_train

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


def functions(pack: Pack, runs: list[RunConfig], device: torch.device) -> Functions:
    """How a slice of a pack's runs is trained and evaluated. runs: one of each length.

    Those of a process's last shape are kept: packs of one shape compile once.
    """
    frozen, run = pack.frozen, runs[0]
    native = frozen.native and device.type == "cpu" and serves(run)
    often = frozen.compile and _evaluates_often(runs, pack.models)
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


def _evaluates_often(runs: list[RunConfig], models: int) -> bool:
    """Whether a pack's evaluations pay for their own compilation, which grows with depth too."""
    run, budget = runs[0], runs[0].budget
    before = sum(len(evaluation_steps(r.budget)) - 1 for r in runs)
    sequences = before * (budget.curve_sequences or budget.eval_sequences)
    sequences = models * (sequences + len(runs) * budget.eval_sequences)
    return sequences * forward_flops(run) / (run.size("depth") or 1) > EVALUATION_FLOPS


def _seeds(runs: list[RunConfig], chunks: list[list[Slots]]) -> list[list[int]]:
    """Distinct seed_data of each chunk, filled up to as many as any of them has: the compiled
    step sees one shape."""
    each = [sorted({runs[i].seed_data for i in chunk[0].members}) for chunk in chunks]
    most = max(map(len, each))
    return [seeds + seeds[-1:] * (most - len(seeds)) for seeds in each]


class PackTrainer:
    """Trains one pack for one attempt.

    `report(slots, step, share)` is called at every look at the clock, with the share of the pack that is
    trained; `stopping()` says whether to checkpoint and stop.
    """

    def __init__(
        self, pack: Pack, attempt: Attempt, execution: Execution,
        report: Callable[[Slots, int, float], None], stopping: Callable[[], bool],
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
        self.lengths = self.runs[:: pack.models]
        """A run of each length, in the order of training."""
        self.chunks = chunks_of(pack.models, pack.frozen.width, pack.frozen.lengths)
        torch.set_num_threads(pack.frozen.threads)
        torch.set_flush_denormal(True)  # denormal moments cost 10-100 times a normal product
        self.fabric = make_fabric(execution, self.runs[0].precision)
        made = functions(pack, self.lengths, self.fabric.device)
        self.core, self.advance, self.evaluate = made.core, made.advance, made.evaluate
        self.measures = made.measures
        self.batches = evaluation_batches(self.runs[0], self.fabric.device)
        self.seeds = _seeds(self.runs, self.chunks)
        self.saved = time.monotonic()

    def train(self, finished: set[str], resume: list[Path]) -> None:
        """Train every chunk that has an unfinished run.

        `resume`: earlier checkpoints, the latest first; the first that can be used is.
        Raises: Stopped when asked to stop, its state saved; Superseded.
        """
        unfinished = {
            number: pending for number, chunk in enumerate(self.chunks)
            if (pending := [k for k, slots in enumerate(chunk)
                            if not all(self.runs[i].run_id in finished for i in slots.members)])
        }  # fmt: skip
        found = checkpoint.usable(resume, code_version())
        content = next((c for c in found if c["chunk"] in unfinished), None)
        for number, pending in unfinished.items():
            states = self._kept_trunk(number)
            if content is not None and content["chunk"] == number:
                states += checkpoint.states(content, self.core.device)
            self._train_chunk(number, pending, states, finished)

    def _kept_trunk(self, number: int) -> list[SliceState]:
        """The state of another pack that a chunk goes on from, where there is one and it is whole."""
        trunk = self.pack.trunk
        if trunk is None:
            return []
        path = state_path(
            self.attempt.folder.parent.with_name(trunk["pack"]), trunk["chunks"][number]
        )
        content = next(checkpoint.usable([path], code_version()), None)
        if content is None:
            return []
        (state,) = checkpoint.states(content, self.core.device)
        chunk, rows = self.chunks[number], state.rows[state.length]
        since = state.loss_since[state.length].repeat(len(chunk), 1)
        own = [[{**row, "first": slots.first} for row in rows] for slots in chunk]
        return [
            replace(state, loss_since=since, rows=own, carried=list(range(len(chunk))), length=0)
        ]

    def _train_chunk(
        self, number: int, pending: list[int], states: list[SliceState], finished: set[str]
    ) -> None:
        """Train the models of a chunk to each `pending` length.

        `states`: of an earlier attempt, to go on from.
        """
        chunk = self.chunks[number]
        fresh, tensors = start(self.core, self.runs, chunk[0], pending)
        for place, length in enumerate(pending):
            if is_committed(self.attempt, chunk[length].index):
                continue  # by an owner that was taken for dead, in the meantime
            later = pending[place + 1 :]
            state = self._latest(states, length)
            if state is None:
                if fresh is None:
                    fresh, _ = start(self.core, self.runs, chunk[0], pending[place:])
                state, fresh = fresh, None
            states = self._needed([*states, state], state.step, length, later)
            if any(kept is state for kept in states):
                state = state.copied()
            state.length = length
            # what it has in common with lengths before it was measured, and not written down, as theirs
            append_lines(self.attempt.curves, state.rows[length])
            self._train_length(number, state, tensors, states, later)
            self._commit(state, chunk[length], finished)

    def _train_length(
        self, number: int, state: SliceState, tensors: RunTensors, kept: list[SliceState],
        later: list[int],
    ) -> None:  # fmt: skip
        """Train a state to the end of its length; a copy is added to `kept` wherever the course of a
        later one leaves."""
        length, slots = state.length, self.chunks[number][state.length]
        steps = self.lengths[length].budget.steps
        leaves = {s for k in later if (s := self._shared(length, k)) > state.step}
        points = {k: {s for s in evaluation_steps(self.lengths[k].budget)
                      if s <= self._shared(length, k)} for k in (length, *later)}  # fmt: skip
        end = self._end_to_keep(state, length)
        stops = leaves.union(*points.values(), end)
        for target in sorted(s for s in stops if s > state.step):
            while state.step < target:
                begun = time.monotonic()
                norm = self._chunk(state, tensors, number, min(target, state.step + CHUNK))
                state.wall_s += time.monotonic() - begun
                if state.step == target:
                    here = [k for k, at in points.items() if target in at]
                    self._measure(state, tensors, number, norm, here)
                    if target in leaves:
                        kept.append(state.copied())
                    if target in end:
                        self._keep_trunk(state, number)
                self.report(slots, state.step, self._share(number, length, state.step))
                stop = self.stopping() and state.step < steps
                if stop or time.monotonic() - self.saved > self.execution.checkpoint_s:
                    self._save([*kept, state], number)
                if stop:
                    raise Stopped
        if self.execution.keep_weights:
            self._keep(state, slots)

    def _end_to_keep(self, state: SliceState, length: int) -> set[int]:
        """The step at which the beginning of the longest length is kept, where a state comes by it."""
        longest = longest_of(self.lengths)
        end = stable_end(self.lengths[longest])
        passes = state.step < end <= self._shared(length, longest) and longest in state.carried
        return {end} if self.execution.keep_trunk and passes else set()

    def _keep_trunk(self, state: SliceState, number: int) -> None:
        """Keep a state for longer lengths that may be asked for later."""
        folder, code = self.attempt.folder.parent, code_version()
        own = replace(state, length=longest_of(self.lengths))
        content = {"chunk": number, "code": code, "states": [vars(own)]}
        checkpoint.write_whole(self.fabric, state_path(folder, number), content)
        write_record(folder, number, state.step, code)

    def _shared(self, one: int, other: int) -> int:
        """Steps that two lengths have in common."""
        return shared(self.lengths[one], self.lengths[other])

    def _latest(self, states: list[SliceState], length: int) -> SliceState | None:
        """Of the states, the one from which a length has least to go; None: from the beginning."""
        fit = [s for s in states
               if length in s.carried and s.step <= self._shared(s.length, length)]  # fmt: skip
        return max(fit, key=lambda s: s.step, default=None)

    def _needed(
        self, states: list[SliceState], step: int, length: int, later: list[int]
    ) -> list[SliceState]:
        """Those from which a later length will go on, while `length` is trained from `step`: the others
        will leave that one further on."""
        wanted = [self._latest(states, k) for k in later if self._shared(length, k) <= step]
        return [s for s in states if any(s is w for w in wanted)]

    def _share(self, number: int, length: int, step: int) -> float:
        """Share of the pack that is trained, where a chunk has come to a step of a length."""
        before = self.lengths[:length]
        done = steps_to_train(before) + step
        done -= min(step, self._shared(length - 1, length)) if before else 0
        first, members = self.chunks[number][0].first, len(self.chunks[number][0].members)
        whole = steps_to_train(self.lengths)
        return (first * whole + members * done) / (self.pack.models * whole)

    def _commit(self, state: SliceState, slots: Slots, finished: set[str]) -> None:
        """Commit a slice's results, but for runs that had one already. Raises: Superseded."""
        length = state.length
        rows = result_rows(state, length, self.runs, slots)
        rows = [r for r in rows if r["run_id"] not in finished]
        device = device_name(self.fabric.device)
        commit(self.attempt, slots.index, rows, state.rows[length], device)
        if self.attempt.superseded():
            raise Superseded

    def _measure(
        self, state: SliceState, tensors: RunTensors, number: int, norm: torch.Tensor,
        lengths: list[int],
    ) -> None:  # fmt: skip
        """Evaluate a state for these lengths, at the end of one on all of its sequences."""
        begun = time.monotonic()
        found: dict[int, Found] = {}
        for k in lengths:
            last = state.step == self.lengths[k].budget.steps
            few = len(self.batches) if last else curve_batches(self.runs[0])
            if few not in found:
                found[few] = evaluated(
                    self.evaluate, self.measures, state, tensors.taps, self.batches, few
                )
            slots = self.chunks[number][k]
            row = evaluation_row(self.core, state, k, found[few], norm, self.runs, slots)
            state.rows[k].append(row)
            state.loss_since[k].zero_()
            if k == state.length:
                append_lines(self.attempt.curves, [row])
        state.wall_s += time.monotonic() - begun

    def _chunk(
        self, state: SliceState, tensors: RunTensors, number: int, until: int
    ) -> torch.Tensor:
        """Optimiser steps up to `until`; returns the last step's gradient norms (W,)."""
        device, dtype = self.core.device, self.core.dtype
        numbers = range(state.step + 1, until + 1)
        run, seeds = self.lengths[state.length], self.seeds[number]
        padded = self.chunks[number][0].padded
        seen = torch.tensor([seeds.index(self.runs[i].seed_data) for i in padded])
        tokens, targets = training_batches(
            run, torch.tensor(seeds, device=device), torch.tensor(numbers, device=device)
        )
        seen = seen.to(device)
        factors = [learning_rate_factor(n, run.budget.steps, run.optim) for n in numbers]
        number_C = torch.tensor(numbers, dtype=dtype, device=device)
        factor_C = torch.tensor(factors, dtype=dtype, device=device)
        with self.fabric.autocast():
            norm = self.advance(state, tensors, tokens, targets, seen, number_C, factor_C)
        state.step = until
        return norm

    def _save(self, states: list[SliceState], number: int) -> None:
        """Write a checkpoint. Raises: Superseded, where it is of no more use."""
        if self.attempt.superseded():
            raise Superseded
        checkpoint.save(self.fabric, self.attempt, number, states, code_version())
        self.saved = time.monotonic()

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
