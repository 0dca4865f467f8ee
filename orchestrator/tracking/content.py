"""What W&B is told, as a pure function of our records: the same live, pushed and pushed again.

Nothing here imports wandb, and nothing here reads an environment: no key can get in.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.config import RunConfig
from orchestrator.cost import tokens_per_step
from orchestrator.describe import describe
from orchestrator.records.curves import of_slot
from orchestrator.records.manifests import Member
from orchestrator.records.packs import Pack

NOT_METRICS = ("first", "step", "eval_total")
LAST_STEP = "last_step"
NOT_A_NUMBER = "NaN"
"""How W&B writes a number that is none: its client leaves a float NaN out of a summary."""
STOPPED, KILLED, FAILED = 143, 137, 1
"""Exit codes of a run whose attempt was stopped with a checkpoint, was killed, or raised."""


@dataclass(frozen=True)
class Identity:
    """What names one W&B run."""

    id: str
    name: str
    group: str
    job_type: str
    tags: tuple[str, ...]
    config: dict[str, Any]


@dataclass(frozen=True)
class Ending:
    """How a W&B run ends."""

    exit_code: int
    summary: dict[str, Any] = field(default_factory=dict)
    preempted: bool = False
    """Stopped with its state saved: it will go on."""


def wandb_id(own_id: str, generation: int) -> str:
    """W&B's id of a run: our run id, with a suffix where `--rerun` trained it again."""
    return own_id if generation == 0 else f"{own_id}-again{generation}"


def run_identity(pack: Pack, slot: int, sweep: str, member: Member | None) -> Identity:
    """Names and flat config of a pack's run; `member` holds the names the sweep gives it."""
    run = pack.runs[slot]
    arm = member.arm if member else run.arm
    seed = member.seed if member else run.seed
    tags = (f"sweep:{sweep}", run.task.name, arm)
    return Identity(
        wandb_id(run.run_id, pack.generation), readable_name(run, arm, seed), sweep, "train",
        tuple(t[:64] for t in tags), _config(pack, run, arm, seed, sweep),
    )  # fmt: skip


def pack_identity(pack: Pack, sweep: str) -> Identity:
    """Names and config of a whole pack as one W&B run; the config is what its members share."""
    each = [
        _config(pack, run, run.arm, run.seed, sweep) for run in pack.runs
    ]  # fmt: skip
    shared = {k: v for k, v in each[0].items() if all(e.get(k) == v for e in each)}
    run = pack.first
    name = f"{run.task.name}{_sizes(run)}-{len(each)}runs"
    shared["runs"] = len(each)
    return Identity(
        wandb_id(f"pack-{pack.pack_id}", pack.generation), name, sweep, "pack",
        (f"sweep:{sweep}"[:64], run.task.name), shared,
    )  # fmt: skip


def readable_name(run: RunConfig, arm: str, seed: int) -> str:
    """recall-L2-d64-γ0.5-s3; an arm other than raw stands behind the task."""
    momentum, gamma = run.model.momentum, run.gamma
    if gamma is not None:
        what = f"-γ{gamma:g}"
    elif momentum is None:  # a user's model
        what = ""
    elif momentum.learn != "none":
        what = f"-learned-{momentum.learn}"
    else:
        what = "-taps"
    task = run.task.name if arm == "raw" else f"{run.task.name}-{arm}"
    return f"{task}{_sizes(run)}{what}-s{seed}"


def _sizes(run: RunConfig) -> str:
    """-L2-d64, as far as the model has them."""
    sizes = (("L", run.size("depth")), ("d", run.size("width")))
    return "".join(f"-{letter}{n}" for letter, n in sizes if n is not None)


def ended(ending: Ending, last_step: int) -> Ending:
    """The ending with the last step in its summary, by which `push` sees that nothing lacks."""
    return replace(ending, summary={**ending.summary, LAST_STEP: last_step})


def run_row(row: dict[str, Any], slot: int) -> tuple[int, dict[str, Any]] | None:
    """(step, metrics) of one run in a row of curves.jsonl; None where the row is not its.

    Numbers that were not finite stand as null in our records and are left out.
    """
    mine = of_slot(row, slot)
    if mine is None:
        return None
    out: dict[str, Any] = {}
    for key, value in mine.items():
        if key not in NOT_METRICS:
            _flatten(out, key, value)
    if out.get("wall_s"):  # the slice's seconds so far; each of its runs saw as many tokens
        out["tokens_per_second"] = row["tokens"] * len(row["val_loss"]) / out["wall_s"]
    return row["step"], out


def pack_row(row: dict[str, Any], pack: Pack) -> tuple[int, dict[str, Any]]:
    """(step, metrics) of a pack as a whole: mean, least and most over the slice's runs.

    A pack trains its slices one after the other, each in all of its lengths: steps and tokens go on
    counting.
    """
    before = _steps_before(pack, row["first"])
    out: dict[str, Any] = {"tokens": row["tokens"] + before * tokens_per_step(pack.first)}
    for key, values in row.items():
        if key in NOT_METRICS or not isinstance(values, list):
            continue
        numbers = [v for v in values if isinstance(v, (int, float))]
        if numbers:
            out[key] = statistics.fmean(numbers)
            out[f"{key}_least"], out[f"{key}_most"] = min(numbers), max(numbers)
    return before + row["step"], out


def run_ending(result: dict[str, Any]) -> Ending:
    """How a finished run ends. A diverged one is an outcome: exit code 0, and it says so."""
    summary = {k: v for k, v in result.items() if v is not None and k != "run_id"}
    # W&B would go on showing the last finite loss of a run that has none
    summary |= {k: NOT_A_NUMBER for k in ("val_loss", "mean_loss") if result[k] is None}
    if result.get("wall_s"):
        summary["tokens_per_second"] = result["tokens"] / result["wall_s"]
    summary["diverged"] = int(result["status"] == "diverged")
    return Ending(0, summary)


def pack_ending(results: list[dict[str, Any]]) -> Ending:
    """How a pack ends whose runs have all finished."""
    losses = [r["val_loss"] for r in results if r["val_loss"] is not None]
    summary: dict[str, Any] = {
        "completed": sum(r["status"] == "completed" for r in results),
        "diverged": sum(r["status"] == "diverged" for r in results),
    }
    if losses:
        summary["best_val_loss"] = min(losses)
    return Ending(0, summary)


def unfinished_ending(end: dict[str, Any] | None) -> Ending:
    """How a run ends whose attempt has ended and left it unfinished; `end`: its own word."""
    status = end["status"] if end else "killed"
    code = {"stopped": STOPPED, "killed": KILLED}.get(status, FAILED)
    return Ending(code, {"status": status}, preempted=status == "stopped")


def _config(pack: Pack, run: RunConfig, arm: str, seed: int, sweep: str) -> dict[str, Any]:
    known = describe(run, arm, seed)
    out = {
        "sweep": sweep, "steps": run.budget.steps,
        "pack": pack.pack_id, "pack_size": len(pack.run_ids),
        # W&B's scatter plots know no grouping: a key of its own gives each arm its own panel
        f"gamma_{arm}": known["gamma"],
    }  # fmt: skip
    for key, value in known.items():
        out.setdefault(key.replace(".", "_"), value)
    return {k: v for k, v in out.items() if v is not None}


def _steps_before(pack: Pack, slot: int) -> int:
    """Steps of the slices that stand before the one that begins at a slot."""
    length, place = divmod(slot, pack.models)
    steps = [run.budget.steps for run in pack.by_length]
    return place // pack.frozen.width * sum(steps) + sum(steps[:length])


def _flatten(out: dict[str, Any], key: str, value: Any) -> None:
    """One number a key; a learned γ with one value a head becomes gamma/0, gamma/1, ..."""
    if isinstance(value, dict):
        for name, v in value.items():
            _flatten(out, f"{key}/{name}", v)
    elif isinstance(value, list):
        for i, v in enumerate(value):
            _flatten(out, f"{key}/{i}", v)
    elif value is not None:
        out[key] = value
