"""The GPUs of this machine by the names that CUDA_VISIBLE_DEVICES takes, without importing torch."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from orchestrator.errors import UserError

NAME = re.compile(r"\d+|GPU-[0-9a-fA-F-]+|MIG-[0-9a-zA-Z/-]+")
NONE = ("", "-1", "NoDevFiles")
"""What hides all GPUs; the last is Slurm's, of a job that asked for none."""
ASK_S = 30.0
"""Seconds that nvidia-smi may take."""


def gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Those that this process was given (CUDA_VISIBLE_DEVICES), else all of the machine; of a GPU
    that is cut by MIG its instances.

    Raises: UserError where the variable names none.
    """
    given = environment.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return list(_of_machine(environment.get("PATH", "")))
    if given.strip() in NONE:
        return []
    names = [name.strip() for name in given.split(",")]
    if bad := [name for name in names if not NAME.fullmatch(name)]:
        raise UserError(
            f"CUDA_VISIBLE_DEVICES={given}: {bad[0] or 'an empty name'} is no GPU; allowed are numbers, "
            "GPU-... and MIG-... names (nvidia-smi -L shows them), or -1 for none"
        )  # fmt: skip
    if len(set(names)) < len(names):
        raise UserError(f"CUDA_VISIBLE_DEVICES={given}: names a GPU twice, which CUDA refuses")
    return names


@cache
def _of_machine(path: str) -> tuple[str, ...]:
    said = _asked("-L")
    return tuple(counted(Path("/")) if said is None else listed(said))


def _asked(*words: str) -> str | None:
    """What nvidia-smi says; None where it does not."""
    try:
        done = subprocess.run(
            ["nvidia-smi", *words], capture_output=True, text=True, check=False, timeout=ASK_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def memories(environment: Mapping[str, str] = os.environ) -> list[float]:
    """Bytes of memory of this machine's GPUs, or of what MIG cuts them into; [] where nothing tells."""
    return list(_memories(environment.get("PATH", "")))


@cache
def _memories(path: str) -> tuple[float, ...]:
    cut = re.findall(r"^\s+MIG \S*?(\d+)gb", _asked("-L") or "", re.MULTILINE)
    if cut:
        return tuple(float(gb) * 1e9 for gb in cut)
    whole = (_asked("--query-gpu=memory.total", "--format=csv,noheader,nounits") or "").split()
    return tuple(float(mib) * 2**20 for mib in whole if mib.isdigit())


def listed(text: str) -> list[str]:
    """The GPUs of `nvidia-smi -L`, or what MIG cuts them into."""
    out: list[list[str]] = []
    for line in text.splitlines():
        if found := re.match(r"GPU (\d+): ", line):
            out.append([found.group(1)])
        elif (found := re.search(r"UUID: (MIG-[^)\s]+)", line)) and out:
            out[-1].append(found.group(1))
    return [name for gpu in out for name in (gpu[1:] or gpu)]


def counted(root: Path) -> list[str]:
    """The GPUs that the driver shows in /proc, else in /dev."""
    driver = root / "proc/driver/nvidia/gpus"
    found = list(driver.iterdir()) if driver.is_dir() else []
    found = found or [p for p in root.glob("dev/nvidia*") if re.fullmatch(r"nvidia\d+", p.name)]
    return [str(i) for i in range(len(found))]
