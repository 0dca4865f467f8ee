"""What our settings are called in sbatch's words, and what it says against them in ours."""

from __future__ import annotations

import dataclasses
import math
import re
import shutil
import subprocess
from typing import Any

from orchestrator.cluster import Cluster
from orchestrator.errors import UserError
from orchestrator.records.slurm_environment import environment
from orchestrator.settings import Execution, Settings


def require(settings: Settings) -> None:
    """Ask Slurm whether it would take such a job, before anything is written.

    Raises: UserError that names the setting where it would not.
    """
    cluster = settings.cluster
    if shutil.which("sbatch") is None:
        raise UserError(
            "cluster=slurm: no sbatch on the PATH; submit from the cluster's login node, "
            "or train here with cluster=local"
        )
    try:
        done = subprocess.run(
            ["sbatch", "--test-only", *flags(cluster, settings.execution), "--wrap=true"],
            capture_output=True, text=True, timeout=60, check=False, env=environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired as e:
        raise UserError("cluster=slurm: sbatch does not answer; nothing was queued") from e
    if done.returncode:
        raise UserError(refused(done.stderr, cluster) + "; nothing was queued")


def options(cluster: Cluster, execution: Execution) -> dict[str, Any]:
    """The sbatch options that the settings stand for, without those of the array."""
    named = {f.metadata["sbatch"]: getattr(cluster, f.name) for f in _named()}
    named |= {"time": cluster.minutes, "cpus-per-task": cluster.cpus or execution.threads}
    if cluster.memory is not None:
        named["mem"] = f"{math.ceil(cluster.memory * 1024)}M"
    named = {k: ",".join(v) if isinstance(v, list) else v for k, v in named.items()}
    words = {**named, "requeue": True, **cluster.sbatch}
    return {k: v for k, v in words.items() if v is not None}


def flags(cluster: Cluster, execution: Execution) -> list[str]:
    """The same as words of a command line."""
    words = options(cluster, execution).items()
    return [f"--{k}" if v is True else f"--{k}={v}" for k, v in words if v is not False]


def _named() -> list[dataclasses.Field]:
    """The cluster's keys that stand for an option of sbatch."""
    return [f for f in dataclasses.fields(Cluster) if f.metadata.get("sbatch")]


def max_array_size() -> int:
    """Most tasks in one array, by the cluster's configuration; 1 where it has no arrays."""
    done = subprocess.run(
        ["scontrol", "show", "config"], capture_output=True, text=True, timeout=60, check=False,
        env=environment(),
    )  # fmt: skip
    match = re.search(r"MaxArraySize\s*=\s*(\d+)", done.stdout)
    return max(1, int(match.group(1))) if match else 1


def refused(text: str, cluster: Cluster) -> str:
    """sbatch's complaint as one line that names the setting it is about."""
    lines = [re.sub(r"^(sbatch: )?(error: )?", "", s.strip()) for s in text.splitlines()]
    reason = "; ".join(dict.fromkeys(s for s in lines if s)) or "no reason given"
    for f in _named():
        value = getattr(cluster, f.name)
        word = f.metadata["says"] or f.name
        if value is not None and re.search(rf"\b{word}\b", reason, re.IGNORECASE):
            allowed = f" (partitions here: {_partitions()})" if f.name == "partition" else ""
            return f"cluster.{f.name}={value}: sbatch says: {reason}{allowed}"
    return f"cluster=slurm: sbatch says: {reason}"


def _partitions() -> str:
    done = subprocess.run(
        ["sinfo", "-h", "-o", "%R"], capture_output=True, text=True, timeout=60, check=False,
        env=environment(),
    )  # fmt: skip
    return ", ".join(sorted(set(done.stdout.split()))) or "not known"
