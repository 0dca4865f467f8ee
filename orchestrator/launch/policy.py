"""Why a try of a pack failed, and whether whoever waits for it may try again.

Each failure and its cause is appended to PACK/failures.jsonl, once; what ran out of memory is tried
with more of it, also by a later submission.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from orchestrator.durations import duration
from orchestrator.launch.stop import HUNG, hung
from orchestrator.records.attempts import Attempt
from orchestrator.records.liveness import boot_id, still_s
from orchestrator.records.queue import Task, ended
from orchestrator.records.store import Store, append_lines, read_lines
from orchestrator.settings import Execution

LOG_BYTES = 20_000
"""The end of a log that is searched for a cause."""
_SACCT = {
    "OUT_OF_MEMORY": "memory", "NODE_FAIL": "node", "BOOT_FAIL": "node", "PREEMPTED": "node",
    "CANCELLED": "cancelled",
}  # fmt: skip
_SAID = {
    "memory": "OutOfMemoryError|MemoryError|oom.?kill|out of memory|exceeded.*memory.*limit",
    "device": "CUDA error|cudaError|No CUDA GPUs are available|device-side|uncorrectable ECC",
}
"""What errors and logs say of a cause, whatever the case of their letters."""


def cause(last: Attempt | None) -> tuple[str, str]:
    """(crash, memory, node, hang, device or cancelled; in words) of a try that is over.

    None: its job ended before it claimed the pack.
    """
    if last is None:
        return "crash", "its job ended before it began"
    end = last.end()
    if end is not None and end["status"] == "failed":
        error = end.get("error") or "no reason given"
        return _said(error) or "crash", error
    if end is not None and end["status"] == HUNG:
        return "hang", end.get("error") or "it did no step"
    if end is not None:
        return "node", "its process was told to stop"
    if hung(last):
        return "hang", f"it has done no step for {duration(still_s(last.progress))}"
    slurm = last.claim.get("slurm")
    if slurm:
        how = ended(Task(slurm["name"], slurm["job"], slurm["task"]), last.claim["time"])
        known = _SACCT.get(how or "") or _said(_log_end(last))
        return known or ("crash" if how else "node"), f"its job ended {how or 'unaccounted for'}"
    if last.claim["boot_id"] != boot_id():
        return "node", f"{last.claim['host']} was started anew, or does not answer"
    return _said(_log_end(last)) or "crash", "its process was killed"


def note(store: Store, pack_id: str, last: Attempt | None) -> tuple[str, str]:
    """Put a failure on record; its cause."""
    why, words = cause(last)
    number = last.number if last else None
    known = failures(store, pack_id)
    if number is None or all(row["attempt"] != number for row in known):
        append_lines(_path(store, pack_id), [{"attempt": number, "cause": why, "error": words}])
    return why, words


def failures(store: Store, pack_id: str) -> list[dict[str, Any]]:
    """A pack's failures: attempt, cause, error."""
    return read_lines(_path(store, pack_id))


def out_of_memory(store: Store, pack_id: str) -> int:
    """How often a pack ran out of memory."""
    return Counter(row["cause"] for row in failures(store, pack_id))["memory"]


def allowed(execution: Execution, why: str) -> int:
    """How often a failure of this cause is tried again."""
    if why == "cancelled":
        return 0
    own = getattr(execution, f"retries_{why}")
    return execution.retries if own is None else own


def _said(text: str) -> str | None:
    found = (why for why, words in _SAID.items() if re.search(words, text, re.IGNORECASE))
    return next(found, None)


def _log_end(attempt: Attempt) -> str:
    try:
        with open(attempt.claim.get("log") or "", "rb") as f:
            f.seek(max(0, f.seek(0, 2) - LOG_BYTES))
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def _path(store: Store, pack_id: str) -> Path:
    return store.packs / pack_id / "failures.jsonl"
