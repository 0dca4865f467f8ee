"""What machines do, as `orchestrator bench` measured it: one file a host, the latest last."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from orchestrator.records.store import Store, append_lines, read_lines


def keep(store: Store, measured: dict[str, Any]) -> None:
    """Append a measurement; `place` of it says as what kind of job it was made, null: by hand."""
    path = _path(store, measured["host"])
    path.parent.mkdir(parents=True, exist_ok=True)
    append_lines(path, [measured])


def kept(store: Store, place: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Measurements of this host, or of those that a place chose (`Launcher.place`), oldest first; []
    where there is none."""
    if place is None:
        return read_lines(_path(store, platform.node()))
    rows = [row for path in (store.root / "bench").glob("*.jsonl") for row in read_lines(path)]
    return sorted((row for row in rows if row.get("place") == place), key=lambda row: row["time"])


def _path(store: Store, host: str) -> Path:
    return store.root / "bench" / f"{host}.jsonl"
