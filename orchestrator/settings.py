"""How and where runs are trained: nothing here enters a run's identity.

A pack freezes the part of it that can move the last bits of a result (compile, threads, slice
width); the rest may change between attempts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.cluster import Cluster
from orchestrator.coerce import build, plain
from orchestrator.errors import UserError
from orchestrator.law import Law


def _positive(value: float | None, key: str) -> None:
    if value is not None and not value > 0:
        raise UserError(f"{key}={plain(value)}: must be above 0")


@dataclass(frozen=True)
class Execution:
    """How a pack is trained on whatever machine it lands on."""

    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile of the step; auto pays the compilation only where it comes back."""
    native: Literal["auto", "on", "off"] = "auto"
    """Our C++ training steps on a CPU; auto: where it builds and finds torch's losses at planning."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: a GPU where there is one."""
    threads: int = 1
    """CPU threads of one process."""
    width: int | None = None
    """Runs trained by one call of the step (a slice of a pack); null: chosen at planning, on a GPU by
    its memory."""
    gpu_memory: float | None = None
    """GB of the GPUs that will train; null: as this machine's have, or those that `cluster` names."""
    packs_per_gpu: int = 1
    """Packs that are trained at the same time on each GPU of this machine (cluster=local)."""
    pack: int | None = None
    """Most runs in one pack, the unit that is claimed, resumed and retried; null: 64, or as many as
    one call takes."""
    checkpoint_s: float = 60.0
    """Seconds between checkpoints."""
    stall_s: float = 1800.0
    """Seconds without a step after which a living attempt counts as hung and may be taken over; more
    than compiling or one evaluation ever takes."""
    keep_weights: bool = False
    """Keep the final parameters of every run."""
    keep_trunk: bool = False
    """Keep each model's state before its longest length cools down, so that longer ones that are asked
    for later go on from there."""
    parts: str | None = None
    """Folder that parts of one's own are imported from, on every node; null: the working folder of
    the submission."""
    retries: int = 2
    """Times that a pack that fails is tried again by whoever waits for it: a submission on this
    machine, or with cluster.wait=true. Below for each cause; null: this many."""
    retries_crash: int | None = None
    """An exception, or a process that was killed."""
    retries_memory: int | None = None
    """Out of memory; on Slurm each further job of the pack gets twice as much (cluster.memory)."""
    retries_node: int | None = 20
    """A node that failed, or a job that was preempted or stopped and did not come back."""
    retries_hang: int | None = None
    """No step for `stall_s` seconds."""
    retries_device: int | None = None
    """A GPU that was lost, or an error of its driver's."""

    def __post_init__(self) -> None:
        for name in ("", "_crash", "_memory", "_node", "_hang", "_device"):
            value = getattr(self, f"retries{name}")
            if value is not None and value < 0:
                raise UserError(f"execution.retries{name}={value}: must be 0 or more, or null")
        for name in ("threads", "width", "gpu_memory", "packs_per_gpu", "pack", "checkpoint_s",
                     "stall_s"):  # fmt: skip
            _positive(getattr(self, name), f"execution.{name}")
        object.__setattr__(self, "parts", str(Path(self.parts or "").absolute()))


@dataclass(frozen=True)
class Tracking:
    """Where metrics are shown beside our own records. A key has no place here: the wandb client
    finds it in WANDB_API_KEY or where `wandb login` put it."""

    name: Literal["none", "wandb"] = "none"
    """wandb: every run is sent to Weights & Biases as it trains."""
    project: str = "momentum-lab"
    """W&B project."""
    entity: str | None = None
    """W&B user or team; null: the key's own."""
    granularity: Literal["run", "pack", "sweep"] = "run"
    """What one W&B run is: one of our runs (for sweeps of up to 500), a pack, or the sweep."""
    poll_s: float = 2.0
    """Seconds between two looks at the records for something new to send."""
    init_s: float = 20.0
    """Seconds that the server has to open a run."""
    finish_s: float = 30.0
    """Seconds that a job that has ended waits for the server to take the rest."""
    nice: int = 19
    """Niceness, 0 to 19, of the process that sends: at 19 it has what training leaves, which on a
    node whose every core trains is next to nothing."""

    def __post_init__(self) -> None:
        for name in ("poll_s", "init_s", "finish_s"):
            _positive(getattr(self, name), f"tracking.{name}")
        if not 0 <= self.nice <= 19:
            raise UserError(f"tracking.nice={self.nice}: from 0 to 19")


@dataclass(frozen=True)
class SweepInfo:
    """What a sweep is for."""

    name: str | None = None
    """Name of the sweep's results; null: the file's stem."""
    law: Law = field(default_factory=Law)
    objectives: list[str] | None = None
    """Columns that an optimising Hydra sweeper gets back for each run, in the order of its
    directions; null: the law's metric alone."""


@dataclass(frozen=True)
class Settings:
    """Everything of a composed config that is not the run itself."""

    execution: Execution = field(default_factory=Execution)
    cluster: Cluster = field(default_factory=Cluster)
    tracking: Tracking = field(default_factory=Tracking)
    sweep: SweepInfo = field(default_factory=SweepInfo)


KEYS = ("execution", "cluster", "tracking", "sweep")


def settings(data: dict[str, Any]) -> Settings:
    """Build and check settings from a plain nested dict. Raises: UserError."""
    return build(Settings, data)
