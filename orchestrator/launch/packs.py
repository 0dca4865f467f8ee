"""New runs into packs: one shape each, balanced, and frozen with all that moves the last bits."""

from __future__ import annotations

import math
from collections import defaultdict

from orchestrator.cost import train_flops
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.launcher import launcher
from orchestrator.models.native.build import compiler
from orchestrator.models.native.serves import serves
from orchestrator.models.native.trial import chosen
from orchestrator.records.measurements import kept
from orchestrator.records.packs import Frozen, Pack, new_pack
from orchestrator.records.store import Store
from orchestrator.settings import Execution, Settings

WIDTH = 16
"""Runs a call of the step where nothing was measured (docs/notebook.md, "Slice width")."""

# Rates and compilation (CPU seconds, empty cache) of the step on one core where nothing was
# measured on this machine: `orchestrator bench` (docs/notebook.md, "The step", "When compiling pays").
NATIVE_FLOPS = 60e9
EAGER_FLOPS = 14e9
COMPILED_FLOPS = 25e9
COMPILE_S = 10.0
COMPILE_S_PER_LAYER = 11.0


def make_packs(experiments: list[Experiment], generation: int = 0) -> list[Pack]:
    """Group experiments by shape and execution into packs, the dearest first.

    Runs of one seed_data stand together: a slice makes the batches of each seed that it sees.
    """
    groups: dict[tuple, list[Experiment]] = defaultdict(list)
    for e in experiments:
        groups[e.run.shape_id, e.settings.execution].append(e)
    cost = {key: sum(train_flops(e.run) for e in group) for key, group in groups.items()}
    share = sum(cost.values()) / launcher(experiments[0].settings).processes() if experiments else 1
    out = []
    for key, group in groups.items():
        execution = key[1]
        group.sort(key=lambda e: e.run.seed_data)
        parts = max(
            math.ceil(len(group) / execution.pack),
            min(round(cost[key] / share), math.ceil(len(group) / slice_width(execution, 10**9))),
        )
        size = math.ceil(len(group) / parts)
        native = _native(group[0])
        compiled = _compile(
            group[0], cost[key] / min(parts, launcher(group[0].settings).processes())
        )
        for first in range(0, len(group), size):
            runs = [e.run for e in group[first : first + size]]
            width = slice_width(execution, len(runs))
            frozen = Frozen(compiled, native, execution.threads, width)
            out.append((sum(map(train_flops, runs)), new_pack(runs, frozen, generation)))
    return [pack for _, pack in sorted(out, key=lambda pair: -pair[0])]


def slice_width(execution: Execution, members: int) -> int:
    """Runs a call: at most the configured width, and as little padding as possible."""
    widest = execution.width or WIDTH
    slices = math.ceil(members / widest)
    return math.ceil(members / slices)


def estimate_s(store: Store, packs: list[Pack], settings: Settings) -> tuple[float, bool]:
    """Seconds to train packs here, and whether they come from a measurement of this machine.

    From the rates of the last `orchestrator bench` in each mode, else from the defaults above.
    Compilation counts once for every compiled shape.
    """
    rate = {"native": NATIVE_FLOPS, "eager": EAGER_FLOPS, "compiled": COMPILED_FLOPS}
    measurements = kept(store)
    for row in (r for m in measurements for r in m["rows"]):
        rate[row["mode"]] = row["flops_per_s"]
    seconds, shapes = 0.0, {}
    for pack in packs:
        run, mode = pack.first, mode_of(pack, settings)
        seconds += train_flops(run) * len(pack.run_ids) / rate[mode]
        if mode == "compiled":
            shapes[run.shape_id] = COMPILE_S + COMPILE_S_PER_LAYER * (run.size("depth") or 1)
    share = (seconds + sum(shapes.values())) / max(1, at_once(packs, settings))
    return share, bool(measurements)


def at_once(packs: list[Pack], settings: Settings) -> int:
    """How many of these packs are trained at the same time, at most."""
    return min(launcher(settings).processes(), len(packs))


def mode_of(pack: Pack, settings: Settings) -> str:
    """How a pack's steps are expected to run: native (our C++), compiled or eager."""
    if pack.frozen.native and serves(pack.first) and not on_gpu(settings):
        return "native"
    return "compiled" if pack.frozen.compile else "eager"


def on_gpu(settings: Settings) -> bool:
    """Whether jobs are expected to train on a GPU: as asked for, else where they find one."""
    device = settings.execution.device
    return launcher(settings).has_gpu() if device == "auto" else device == "cuda"


def _ours(experiment: Experiment) -> bool:
    """Whether runs like this one are our C++'s to train, if that can be used."""
    settings = experiment.settings
    asked = settings.execution.native != "off"
    return asked and serves(experiment.run) and not on_gpu(settings)


def _native(experiment: Experiment) -> bool:
    """Whether our C++ trains runs like this one. Raises: UserError where it must and can't."""
    return _ours(experiment) and chosen(experiment.settings.execution.native)


def _compile(experiment: Experiment, flops: float) -> bool:
    """Whether compiling comes back over `flops` trained by one process."""
    run, execution = experiment.run, experiment.settings.execution
    if execution.compile != "auto":
        return execution.compile == "on"
    if compiler() is None or _ours(experiment):  # a compiler that failed ours is not asked again
        return False
    saved = flops / EAGER_FLOPS - flops / COMPILED_FLOPS
    return saved > COMPILE_S + COMPILE_S_PER_LAYER * (run.size("depth") or 1)
