"""Measurements in the store: one file a host, the latest last; read without torch."""

from __future__ import annotations

import json
import platform
from typing import Any

from orchestrator.records.store import Store, append_lines


def keep(store: Store, measured: dict[str, Any]) -> None:
    """Append a measurement."""
    path = _path(store, measured["host"])
    path.parent.mkdir(parents=True, exist_ok=True)
    append_lines(path, [measured])


def kept(store: Store) -> list[dict[str, Any]]:
    """Measurements of this host, oldest first; [] where there is none."""
    path = _path(store, platform.node())
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def _path(store: Store, host: str):
    return store.root / "bench" / f"{host}.jsonl"
