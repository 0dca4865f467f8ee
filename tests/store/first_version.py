"""Writes a store's records anew in the form that the first version of the code gave them.

No checksum and no commit: results in the attempt's results.jsonl, its device in a file of its own;
manifests named by a time, job arrays by their name; one checkpoint.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

LATER = {"crc32", "laws", "stall_s", "still_s", "new_law", "finished"}
"""Keys that records have got since."""


def as_first_version(store: Path) -> None:
    """Rewrite a whole store, in place."""
    for path in sorted(store.glob("packs/*/results-*.json")):
        _results(path)
    later = ("packs/*/*/checkpoint.earlier.pt", "packs/*/failures.jsonl", "sweeps/*/*.jsonl")
    for path in (p for pattern in later for p in store.glob(pattern)):
        path.unlink()
    for pattern in ("packs/*/*.json", "packs/*/*.claim", "packs/*/*/*.json", "packs/*/*/*.jsonl",
                    "sweeps/*/*.json", "jobs/*.json"):  # fmt: skip
        for path in store.glob(pattern):
            _unseal(path)
    for path in sorted(store.glob("sweeps/*/*.json")):
        path.rename(path.with_name(f"{time.time_ns():020d}-{int(path.stem):08x}.json"))
    for path in store.glob("jobs/*.json"):
        path.rename(path.with_name(f"{json.loads(path.read_text())['name']}.json"))


def _results(commit: Path) -> None:
    """A commit as lines of its attempt."""
    data = json.loads(commit.read_text())
    attempt = commit.parent / f"{data['attempt']:04d}"
    with open(attempt / "results.jsonl", "a") as out:
        out.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in data["runs"])
    (attempt / "device.json").write_text(json.dumps(data["device"]) + "\n")
    commit.unlink()


def _unseal(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text(
        "".join(json.dumps(_plain(row, path), separators=(",", ":")) + "\n" for row in lines)
    )


def _plain(row: Any, path: Path) -> Any:
    if not isinstance(row, dict):
        return row
    later = LATER | ({"sweep"} if path.name == "pack.json" else set())
    return {k: v for k, v in row.items() if k not in later}
