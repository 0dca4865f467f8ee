"""Checkpoints from which a slice goes on bit for bit: all of its state, no pickle of ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from orchestrator.training.slices import SliceState


def save(fabric: Fabric, path: Path, index: int, state: SliceState, code: str) -> None:
    """Write the state of slice number `index`, whole or not at all."""
    write_whole(fabric, path, {"slice": index, "code": code, "state": vars(state)})


def write_whole(fabric: Fabric, path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain data to `path`, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    fabric.save(temporary, content)
    with open(temporary, "rb") as f:
        os.fsync(f.fileno())
    os.replace(temporary, path)


def load(fabric: Fabric, path: Path) -> dict[str, Any]:
    """The content of a checkpoint: slice, code, state (a dict of SliceState's fields)."""
    return fabric.load(path, weights_only=True)


def restore(content: dict[str, Any], state: SliceState) -> None:
    """Put a checkpoint's values into a freshly started slice, on its device."""
    device = state.params.device
    for name, value in content["state"].items():
        setattr(state, name, _on(device, value))


def _on(device: torch.device, value: Any) -> Any:
    """The same with its tensors on the device."""
    if isinstance(value, dict):
        return {k: _on(device, v) for k, v in value.items()}
    return value.to(device) if isinstance(value, torch.Tensor) else value
