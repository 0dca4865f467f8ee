"""What machines do, as `orchestrator bench` measured it: one file a host, the latest last."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from orchestrator.records.store import Store, append_lines, read_lines


def keep(store: Store, measured: dict[str, Any]) -> None:
    """Append a measurement."""
    path = _path(store, measured["host"])
    path.parent.mkdir(parents=True, exist_ok=True)
    append_lines(path, [measured])


def kept(store: Store) -> list[dict[str, Any]]:
    """Measurements of this host, oldest first; [] where there is none."""
    return read_lines(_path(store, platform.node()))


def _path(store: Store, host: str) -> Path:
    return store.root / "bench" / f"{host}.jsonl"
