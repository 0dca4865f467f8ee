"""Checkpoints from which training goes on bit for bit: all of its state, no pickle of ours.

An attempt keeps the last two. One that can't be read, or holds other bytes than were written, is
set aside and named, and the one before it counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from orchestrator.records.attempts import Attempt
from orchestrator.records.damage import say, set_aside
from orchestrator.records.sealed import Damaged, require_whole_zip
from orchestrator.training.slices import SliceState


def save(
    fabric: Fabric, attempt: Attempt, chunk: int, states: Sequence[SliceState], code: str
) -> None:
    """Write the states of a chunk, whole or not at all; the checkpoint before is kept."""
    content = {"chunk": chunk, "code": code, "states": [vars(state) for state in states]}
    write_whole(fabric, attempt.checkpoint, content, attempt.earlier_checkpoint)


def saved(earlier: Iterable[Attempt]) -> list[Path]:
    """Checkpoints of attempts, the latest first."""
    latest = sorted(earlier, key=lambda a: -a.number)
    paths = (p for a in latest for p in (a.checkpoint, a.earlier_checkpoint))
    return [p for p in paths if os.path.lexists(p)]


def discard(paths: Iterable[Path]) -> None:
    """Remove checkpoints that are of no more use."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as e:
            say(path, f"can't be removed ({e.strerror})")


def write_whole(
    fabric: Fabric, path: Path, content: dict[str, Any], keep: Path | None = None
) -> None:
    """Write tensors and plain data to `path`, whole or not at all; what was there goes to `keep`."""
    temporary = path.with_name(f".{path.name}.new")
    fabric.save(temporary, content)
    with open(temporary, "rb") as f:
        os.fsync(f.fileno())
    if keep is not None and path.exists():
        os.replace(path, keep)
    os.replace(temporary, path)


def usable(paths: Iterable[Path], code: str) -> Iterator[dict[str, Any]]:
    """The contents of those checkpoints that are whole and of this code: chunk, code, states."""
    for path in paths:
        try:
            content = load_whole(path)
        except Damaged as e:
            set_aside(path, str(e), os.lstat(path))
            continue
        except FileNotFoundError:
            continue  # its attempt has completed meanwhile
        if content["code"] == code:
            yield content


def load_whole(path: Path) -> dict[str, Any]:
    """What `write_whole` wrote. Raises: Damaged where it is something else; FileNotFoundError."""
    require_whole_zip(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as e:
        if "memory" in str(e):  # torch says so by a RuntimeError
            raise
        raise Damaged("no checkpoint") from e
    if not isinstance(content, dict):
        raise Damaged("not what a checkpoint holds")
    return content


def states(content: dict[str, Any], device: torch.device) -> list[SliceState]:
    """A checkpoint's states, on the device."""
    return [SliceState(**_on(device, values)) for values in content["states"]]


def _on(device: torch.device, value: Any) -> Any:
    """The same with its tensors on the device."""
    if isinstance(value, dict):
        return {k: _on(device, v) for k, v in value.items()}
    return value.to(device) if isinstance(value, torch.Tensor) else value
