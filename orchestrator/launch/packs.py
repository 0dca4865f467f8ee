"""New runs into packs: one shape each, balanced, and frozen with all that moves the last bits."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.config import RunConfig
from orchestrator.cost import step_flops
from orchestrator.launch import width
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.launcher import launcher
from orchestrator.launch.price import flops
from orchestrator.models.native.build import compiler
from orchestrator.models.native.serves import serves
from orchestrator.models.native.trial import chosen
from orchestrator.records.measurements import kept
from orchestrator.records.packs import Frozen, Pack, new_pack
from orchestrator.records.provenance import code_version
from orchestrator.records.store import Store
from orchestrator.records.trunks import KeptTrunk
from orchestrator.settings import Settings
from orchestrator.trunks import in_order, length_of, same_evaluations, shared, steps_to_train

# Rates and compilation (CPU seconds, empty cache) of the step on one core where nothing was
# measured on this machine: `orchestrator bench` (docs/notebook.md, "The step", "When compiling pays").
NATIVE_FLOPS = 60e9
EAGER_FLOPS = 14e9
COMPILED_FLOPS = 25e9
COMPILE_S = 10.0
COMPILE_S_PER_LAYER = 11.0


def make_packs(
    experiments: list[Experiment], generation: int = 0, kept: Sequence[KeptTrunk] = ()
) -> list[Pack]:
    """Group experiments by shape and execution into packs, the dearest first.

    Runs that share their beginning stand in one pack, with all lengths that others of its models have.
    Runs of one seed_data stand together: a slice makes the batches of each seed that it sees. Where
    all models of a chunk are to be trained to other lengths than those it was kept of, they go on in its
    place.
    """
    groups: dict[tuple, list[list[Experiment]]] = defaultdict(list)
    out, families = from_kept(by_trunk(experiments), kept, generation)
    for lengths in families:
        first = lengths[0]
        key = tuple(length_of(e.run) for e in lengths)
        groups[first.run.shape_id, first.settings.execution, key].append(lengths)
    cost = {key: sum(_flops([e.run for e in lengths]) for lengths in group)
            for key, group in groups.items()}  # fmt: skip
    share = sum(cost.values()) / launcher(experiments[0].settings).processes() if experiments else 1
    for key, group in groups.items():
        first = group[0][0]
        widest, most = widest_slice(first), most_runs(first)
        group.sort(key=lambda lengths: lengths[0].run.seed_data)
        parts = max(
            math.ceil(len(group) / max(1, most // len(key[2]))),
            min(round(cost[key] / share), math.ceil(len(group) / widest)),
        )
        size = math.ceil(len(group) / parts)
        native = _native(first)
        compiled = _compile(first, cost[key] / min(parts, launcher(first.settings).processes()))
        for begin in range(0, len(group), size):
            mine = group[begin : begin + size]
            runs = [lengths[k].run for k in range(len(key[2])) for lengths in mine]
            each = slice_width(widest, len(mine))
            frozen = Frozen(compiled, native, first.settings.execution.threads, each, len(key[2]))
            out.append(new_pack(runs, frozen, generation))
    return sorted(out, key=lambda pack: -flops(pack))


def by_trunk(experiments: list[Experiment]) -> list[list[Experiment]]:
    """Experiments that share steps, `in_order`, of each model as many as a pack takes."""
    if len({length_of(e.run) for e in experiments}) == 1:
        return [[e] for e in experiments]  # each a trunk of its own; most sweeps are so
    trunks: dict[tuple, list[Experiment]] = defaultdict(list)
    for e in experiments:
        trunks[e.run.trunk_id, e.settings.execution].append(e)
    out = []
    for members in trunks.values():
        most = most_runs(members[0])
        members = [members[i] for i in in_order([e.run for e in members])]
        together: list[Experiment] = []
        for e in members:
            apart = not together or not shared(together[-1].run, e.run)
            if apart or len(together) >= most:
                together = []
                out.append(together)
            together.append(e)
    return out


def from_kept(
    families: list[list[Experiment]], kept: Sequence[KeptTrunk], generation: int
) -> tuple[list[Pack], list[list[Experiment]]]:
    """Packs of those that go on from kept trunks, and the others; each family is a model's lengths."""
    found: dict[tuple, list[tuple[KeptTrunk, list[list[Experiment]]]]] = defaultdict(list)
    open_: dict[str, list[Experiment]] = {f[0].run.trunk_id: f for f in families} if kept else {}
    for trunk in kept:
        mine = [open_.get(run.trunk_id) for run in trunk.models]
        if _hindrance(trunk, mine) is not None:
            continue
        key = (trunk.pack.pack_id, mine[0][0].settings.execution, trunk.step,
               tuple(length_of(e.run) for e in mine[0]))  # fmt: skip
        found[key].append((trunk, mine))
        for family in mine:
            del open_[family[0].run.trunk_id]
    out = []
    for (pack_id, _, step, lengths), chunks in found.items():
        old = chunks[0][0].pack.frozen
        size = max(1, most_runs(chunks[0][1][0][0]) // (len(lengths) * old.width))
        for begin in range(0, len(chunks), size):
            part = chunks[begin : begin + size]
            models = [family for _, mine in part for family in mine]
            runs = [family[k].run for k in range(len(lengths)) for family in models]
            trunk = {"pack": pack_id, "chunks": [t.chunk for t, _ in part], "step": step}
            out.append(new_pack(runs, replace(old, lengths=len(lengths)), generation, trunk))
    taken = {run_id for pack in out for run_id in pack.run_ids}
    return out, [f for f in families if f[0].run.run_id not in taken]


def not_gone_on_from(experiments: list[Experiment], kept: Sequence[KeptTrunk]) -> dict[str, int]:
    """Why kept trunks whose models are to be trained to other lengths are not gone on from, with their
    number."""
    asked = {f[0].run.trunk_id: f for f in by_trunk(experiments)} if kept else {}
    each = (_hindrance(t, [asked.get(run.trunk_id) for run in t.models]) for t in kept)
    return dict(Counter(why for why in each if why))


def _hindrance(trunk: KeptTrunk, families: Sequence[list[Experiment] | None]) -> str | None:
    """Why its models, each with its lengths, can't go on from a kept state; "" where none is asked
    for, None where nothing hinders."""
    there = [f for f in families if f is not None]
    if not there:
        return ""
    first, before = there[0], trunk.models[0]
    if any(shared(before, e.run) < trunk.step for e in first):
        return "a length leaves it before its last step"
    if not all(same_evaluations(before, e.run, trunk.step) for e in first):
        return "it was evaluated at other steps (budget.eval_steps says them for all lengths)"
    if len(there) < len(families):
        return "not all models of its slice are asked for"
    lengths, how = [length_of(e.run) for e in first], first[0].settings.execution
    if not all([length_of(e.run) for e in f] == lengths and f[0].settings.execution == how
               for f in there):  # fmt: skip
        return "its models are asked for in different lengths"
    if trunk.code != code_version():
        return "other code trained it"
    if trunk.pack.frozen.native != _native(first[0]):
        return "it was trained by another step (execution.native)"
    return None


def _flops(lengths: list[RunConfig]) -> int:
    """FLOPs of one model's training to several lengths."""
    return step_flops(lengths[0]) * steps_to_train(lengths)


def widest_slice(experiment: Experiment) -> int:
    """Most runs a call of the step: as configured, else what the device takes."""
    settings = experiment.settings
    if settings.execution.width:
        return settings.execution.width
    return width.on_gpu(experiment.run, width.expected(settings)) if on_gpu(settings) else width.CPU


def most_runs(experiment: Experiment) -> int:
    """Most runs a pack."""
    return experiment.settings.execution.pack or max(width.PACK, widest_slice(experiment))


def slice_width(widest: int, members: int) -> int:
    """Runs a call, with as little padding as possible."""
    slices = math.ceil(members / widest)
    return math.ceil(members / slices)


def estimate_s(store: Store, packs: list[Pack], settings: Settings) -> tuple[float, bool]:
    """Seconds to train packs, and whether they come from a measurement of where they will be trained.

    From the rates of the last `orchestrator bench` in each mode, else from the defaults above.
    Compilation counts once for every compiled shape.
    """
    rate = {"native": NATIVE_FLOPS, "eager": EAGER_FLOPS, "compiled": COMPILED_FLOPS}
    measurements = kept(store, launcher(settings).place)
    for row in (r for m in measurements for r in m["rows"]):
        rate[row["mode"]] = row["flops_per_s"]
    seconds, shapes = 0.0, {}
    for pack in packs:
        run, mode = pack.first, mode_of(pack, settings)
        seconds += flops(pack) / rate[mode]
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


def _compile(experiment: Experiment, cost: float) -> bool:
    """Whether compiling comes back over the FLOPs that one process trains."""
    run, execution = experiment.run, experiment.settings.execution
    if execution.compile != "auto":
        return execution.compile == "on"
    if compiler() is None or _ours(experiment):  # a compiler that failed ours is not asked again
        return False
    saved = cost / EAGER_FLOPS - cost / COMPILED_FLOPS
    return saved > COMPILE_S + COMPILE_S_PER_LAYER * (run.size("depth") or 1)
