"""Files that killed processes left half written: known by their names, removed when a day old.

None of a pack that somebody may still be at work on, however long he was suspended.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.records.attempts import attempts
from orchestrator.records.clock import age_s
from orchestrator.records.store import Store

OLD_S = 86_400.0
_NAME = re.compile(r"\.(clock|probe)-[0-9a-f]{32}|\..+\.([0-9a-f]{12}|new)")
"""A look at the clock, a proof that one may write, or a record before it takes its name."""


def remove(store: Store) -> int:
    """Remove them; how many. Raises: OSError."""
    count = 0
    for folder, paths in _found(store):
        if paths and not at_work(store, folder):
            for path in paths:
                if OLD_S < age_s(path) < float("inf"):
                    path.unlink(missing_ok=True)
                    count += 1
    return count


def _found(store: Store) -> Iterator[tuple[Path, list[Path]]]:
    """Folders, and what lies there under such a name."""
    for folder, _, names in os.walk(store.root):
        yield Path(folder), [Path(folder, n) for n in names if _NAME.fullmatch(n)]


def at_work(store: Store, folder: Path) -> bool:
    """Whether a folder is of a pack that has an owner, be it one that stands still."""
    if store.packs not in folder.parents:
        return False
    pack_id = folder.relative_to(store.packs).parts[0]
    return any(a.condition() in ("running", "hung") for a in attempts(store, pack_id))
