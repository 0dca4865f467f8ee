"""How often a table was looked at: one line a look, appended beside it, never rewritten."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def path_of(table: Path) -> Path:
    """Where the looks at a table stand."""
    return table.with_name("looks.jsonl")


def take(table: Path, digest: str | None, choices: dict[str, Any]) -> dict[str, int] | None:
    """Record a look and count those before it at this very table (its SHA-256): {looks, choices:
    how many different analyses, this one among them}. None where the folder can't be written."""
    before = earlier(table, digest)
    line = json.dumps({"table": digest, "choices": choices, "time": time.time()}, sort_keys=True)
    try:
        with path_of(table).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return None
    kinds = {json.dumps(c, sort_keys=True) for c in (*before, choices)}
    return {"before": len(before), "analyses": len(kinds)}


def earlier(table: Path, digest: str | None) -> list[dict[str, Any]]:
    """The choices of every look at this very table so far; a damaged line counts as none."""
    try:
        lines = path_of(table).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    out = []
    for line in lines:
        try:
            look = json.loads(line)
        except ValueError:
            continue
        if isinstance(look, dict) and look.get("table") == digest:
            out.append(look.get("choices") or {})
    return out
