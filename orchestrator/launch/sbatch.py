"""What our settings are called in sbatch's words, and what it says against them in ours."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from typing import Any

from orchestrator.errors import UserError
from orchestrator.settings import Cluster, Execution, Settings

_NAMED = ("partition", "account", "qos", "constraint", "gres", "memory", "time", "exclude", "mail")


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
    flags = {**parameters(cluster, settings.execution), "time": cluster.minutes}
    words = [f"--{k}" if v is True else f"--{k}={v}" for k, v in flags.items()]
    try:
        done = subprocess.run(
            ["sbatch", "--test-only", *words, "--wrap=true"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as e:
        raise UserError("cluster=slurm: sbatch does not answer; nothing was queued") from e
    if done.returncode:
        raise UserError(refused(done.stderr, cluster) + "; nothing was queued")


def parameters(cluster: Cluster, execution: Execution) -> dict[str, Any]:
    """The sbatch parameters that the settings stand for, without time limit and array."""
    memory = None if cluster.memory is None else f"{math.ceil(cluster.memory * 1024)}M"
    named = {
        "partition": cluster.partition, "account": cluster.account, "qos": cluster.qos,
        "gpus-per-node": cluster.gpus, "gres": cluster.gres, "constraint": cluster.constraint,
        "cpus-per-task": cluster.cpus or execution.threads, "mem": memory,
        "exclude": cluster.exclude, "comment": cluster.comment, "mail-user": cluster.mail,
        "mail-type": cluster.mail_type, "requeue": True,
    }  # fmt: skip
    return {k: v for k, v in {**named, **cluster.sbatch}.items() if v is not None}


def max_array_size() -> int:
    """Most tasks in one array, by the cluster's configuration; 1 where it has no arrays."""
    done = subprocess.run(
        ["scontrol", "show", "config"], capture_output=True, text=True, timeout=60, check=False
    )
    match = re.search(r"MaxArraySize\s*=\s*(\d+)", done.stdout)
    return max(1, int(match.group(1))) if match else 1


def refused(text: str, cluster: Cluster) -> str:
    """sbatch's complaint as one line that names the setting it is about."""
    lines = [re.sub(r"^(sbatch: )?(error: )?", "", s.strip()) for s in text.splitlines()]
    reason = "; ".join(dict.fromkeys(s for s in lines if s)) or "no reason given"
    for name in _NAMED:
        value = getattr(cluster, name)
        word = {"memory": "memory", "exclude": "node name"}.get(name, name)
        if value is not None and re.search(rf"\b{word}", reason, re.IGNORECASE):
            allowed = f" (partitions here: {_partitions()})" if name == "partition" else ""
            return f"cluster.{name}={value}: sbatch says: {reason}{allowed}"
    return f"cluster=slurm: sbatch says: {reason}"


def _partitions() -> str:
    done = subprocess.run(
        ["sinfo", "-h", "-o", "%R"], capture_output=True, text=True, timeout=60, check=False
    )
    return ", ".join(sorted(set(done.stdout.split()))) or "not known"
