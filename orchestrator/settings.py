"""How and where runs are trained: nothing here enters a run's identity.

A pack freezes the part of it that can move the last bits of a result (compile, threads, slice
width); the rest may change between attempts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.coerce import build, plain
from orchestrator.durations import minutes
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
    """Our C++ training steps on a CPU; auto: where a C++ compiler is found at planning."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: a GPU where there is one."""
    threads: int = 1
    """CPU threads of one process."""
    width: int | None = None
    """Runs trained by one call of the step (a slice of a pack); null: chosen at planning."""
    pack: int = 64
    """Most runs in one pack, the unit that is claimed, resumed and retried."""
    checkpoint_s: float = 60.0
    """Seconds between checkpoints."""
    keep_weights: bool = False
    """Keep the final parameters of every run."""

    def __post_init__(self) -> None:
        for name in ("threads", "width", "pack", "checkpoint_s"):
            _positive(getattr(self, name), f"execution.{name}")


@dataclass(frozen=True)
class Cluster:
    """Where packs are trained."""

    name: Literal["local", "slurm"] = "local"
    """local: processes on this machine; slurm: job arrays through submitit."""
    wait: bool = False
    """Wait for the results and return them (what an optimising Hydra sweeper needs)."""
    processes: int | None = None
    """Equal shares that the runs are cut into. local: worker processes; null: one a GPU, or one for
    every `execution.threads` cores. slurm: null: as many as jobs may run at once."""
    max_jobs: int = 32
    """slurm: most jobs of one submission, and so most at once; each trains its share of packs."""
    parallelism: int | None = None
    """slurm: most of them that run at once; null: as many as Slurm starts."""
    partition: str | None = None
    """slurm: partition; null: the cluster's default, here and below."""
    account: str | None = None
    """slurm: account that is charged."""
    qos: str | None = None
    """slurm: quality of service."""
    gpus: int | None = None
    """slurm: GPUs a job, 0 or 1: a job is one process on one device."""
    gres: str | None = None
    """slurm: generic resources in the cluster's own words, such as gpu:a100:1."""
    constraint: str | None = None
    """slurm: node features, such as a100|h100."""
    cpus: int | None = None
    """slurm: cores a job; null: `execution.threads`."""
    memory: float | None = None
    """slurm: GB a job."""
    time: int | str = 60
    """slurm: time limit, minutes or Slurm's other spellings; longer work is requeued."""
    signal_s: int = 90
    """slurm: seconds before the limit at which a job checkpoints and requeues itself."""
    exclude: str | None = None
    """slurm: nodes to avoid."""
    comment: str | None = None
    """slurm: comment on the jobs."""
    mail: str | None = None
    """slurm: address for mail."""
    mail_type: str | None = None
    """slurm: when to send mail: BEGIN, END, FAIL, ALL, ..."""
    setup: list[str] = field(default_factory=list)
    """slurm: shell lines before a job starts."""
    sbatch: dict[str, Any] = field(default_factory=dict)
    """slurm: any other sbatch parameter."""
    logs: str | None = None
    """slurm: folder, shared with the nodes, for job scripts and logs; null: the store's logs/."""

    def __post_init__(self) -> None:
        for name in (
            "processes", "max_jobs", "parallelism", "cpus", "memory", "signal_s",
        ):  # fmt: skip
            _positive(getattr(self, name), f"cluster.{name}")
        if self.gpus not in (None, 0, 1):
            raise UserError(f"cluster.gpus={self.gpus}: must be 0 or 1 (a job is one process)")
        if self.gpus and self.gres:
            raise UserError(
                f"cluster.gres={self.gres}: give cluster.gpus or cluster.gres, not both"
            )
        minutes(self.time, "cluster.time")

    @property
    def minutes(self) -> int:
        """The time limit in minutes."""
        return minutes(self.time, "cluster.time")


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

    def __post_init__(self) -> None:
        for name in ("poll_s", "init_s", "finish_s"):
            _positive(getattr(self, name), f"tracking.{name}")


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
