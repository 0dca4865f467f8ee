"""Where packs are trained: every key of the group `cluster`, once, with what sbatch calls it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.coerce import plain
from orchestrator.durations import minutes
from orchestrator.errors import UserError


def _slurm(sbatch: str | None = None, says: str | None = None) -> dict[str, Any]:
    """About a key that Slurm's jobs alone have: the sbatch option that it stands for, and the word
    by which sbatch's complaints name it where that is another than the key."""
    return {"slurm": True, "sbatch": sbatch, "says": says}


@dataclass(frozen=True)
class Cluster:
    """Where packs are trained.

    Keys with several values take a list, or one text with commas: in a file `partition: a,b`, typed
    `cluster.partition=[a,b]` (in Hydra's grammar a bare comma would sweep over them).
    """

    name: Literal["local", "slurm"] = "local"
    """local: processes on this machine; slurm: job arrays."""
    wait: bool = False
    """Wait for the results and return them (what an optimising Hydra sweeper needs)."""
    processes: int | None = None
    """Equal shares that the runs are cut into. local: worker processes; null: one a GPU, or one for
    every `execution.threads` cores. slurm: null: as many as jobs may run at once."""
    max_jobs: int = field(default=32, metadata=_slurm())
    """slurm: most jobs of one submission, and so most at once; each trains its share of packs."""
    parallelism: int | None = field(default=None, metadata=_slurm())
    """slurm: most of them that run at once; null: as many as Slurm starts."""
    partition: str | list[str] | None = field(default=None, metadata=_slurm("partition"))
    """slurm: partition, or several; null: the cluster's default, here and below."""
    account: str | None = field(default=None, metadata=_slurm("account"))
    """slurm: account that is charged."""
    qos: str | None = field(default=None, metadata=_slurm("qos"))
    """slurm: quality of service."""
    gpus: int | None = field(default=None, metadata=_slurm("gpus-per-node"))
    """slurm: GPUs a job, 0 or 1: a job is one process on one device."""
    gres: str | list[str] | None = field(default=None, metadata=_slurm("gres"))
    """slurm: generic resources in the cluster's own words, such as gpu:a100:1."""
    constraint: str | None = field(default=None, metadata=_slurm("constraint"))
    """slurm: node features, such as a100|h100."""
    cpus: int | None = field(default=None, metadata=_slurm("cpus-per-task"))
    """slurm: cores a job; null: `execution.threads`."""
    memory: float | None = field(default=None, metadata=_slurm("mem"))
    """slurm: GB a job."""
    time: int | str = field(default=60, metadata=_slurm("time"))
    """slurm: time limit, minutes or Slurm's other spellings ("H:MM:SS", "D-HH", ...; in a file
    quoted: YAML reads 4:00:00 as a number); longer work is requeued."""
    signal_s: int = field(default=90, metadata=_slurm())
    """slurm: seconds before the limit at which a job checkpoints and requeues itself."""
    exclude: str | list[str] | None = field(
        default=None, metadata=_slurm("exclude", says="node name")
    )
    """slurm: nodes to avoid, such as node[1-3]."""
    comment: str | None = field(default=None, metadata=_slurm("comment"))
    """slurm: comment on the jobs."""
    mail: str | None = field(default=None, metadata=_slurm("mail-user"))
    """slurm: address for mail."""
    mail_type: str | list[str] | None = field(default=None, metadata=_slurm("mail-type"))
    """slurm: when to send mail: BEGIN, END, FAIL, ALL, ..."""
    setup: list[str] = field(default_factory=list, metadata=_slurm())
    """slurm: shell lines before a job starts, such as "module load cuda"."""
    sbatch: dict[str, Any] = field(default_factory=dict, metadata=_slurm())
    """slurm: any other sbatch option, as {reservation: lab}; typed +cluster.sbatch.reservation=lab."""
    logs: str | None = field(default=None, metadata=_slurm())
    """slurm: folder, shared with the nodes, for job scripts and logs; null: the store's logs/."""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if type(value) in (int, float) and f.name not in ("gpus", "time") and not value > 0:
                raise UserError(f"cluster.{f.name}={plain(value)}: must be above 0")
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

    def require_effect(self, words: Iterable[str]) -> None:
        """Refuse typed overrides of keys that only another `cluster` has.

        A sweep's file may hold them, for where it is to be trained. Raises: UserError.
        """
        slurms = {f"cluster.{f.name}" for f in dataclasses.fields(self) if f.metadata}
        for word in words:
            key = word.lstrip("+~").partition("=")[0]
            if self.name != "slurm" and ".".join(key.split(".")[:2]) in slurms:
                raise UserError(f"{word}: Slurm's jobs alone have it; say cluster=slurm too")
