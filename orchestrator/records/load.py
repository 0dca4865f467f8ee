"""One run's record, for a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.config import RunConfig
from orchestrator.errors import UserError
from orchestrator.records.attempts import attempts, results
from orchestrator.records.curves import of_slot
from orchestrator.records.packs import Pack, all_packs
from orchestrator.records.store import Store, open_store, read_lines


@dataclass(frozen=True)
class RunRecord:
    """What is known of one run."""

    run: RunConfig
    result: dict[str, Any] | None
    """Final metrics and status; None where it has not finished."""
    curve: list[dict[str, Any]]
    """Its evaluations."""


def load_run(run_id: str, store_path: str | None = None) -> RunRecord:
    """The record of a run, by its id or the beginning of it.

    Raises: UserError where the store has none, or several that begin so.
    """
    store = open_store(store_path)
    pack, slot = find_run(store, run_id)
    tries = attempts(store, pack.pack_id)
    result = results(tries).get(pack.run_ids[slot])
    curve = []
    for attempt in tries:
        if result is None or attempt.number != result["attempt"]:
            continue
        rows = (of_slot(row, slot) for row in read_lines(attempt.curves))
        curve += [row for row in rows if row is not None]
    return RunRecord(pack.runs[slot], result, curve)


def find_run(store: Store, run_id: str) -> tuple[Pack, int]:
    """The latest pack that holds a run, named by its id or the beginning of it, and its slot.

    Raises: UserError where the store has none, or several that begin so.
    """
    hits = [
        (pack, slot)
        for pack in all_packs(store)
        for slot, r in enumerate(pack.run_ids)
        if r.startswith(run_id)
    ]
    names = {pack.run_ids[slot] for pack, slot in hits}
    if len(names) != 1:
        what = "no such run" if not names else f"several runs begin so: {', '.join(sorted(names))}"
        raise UserError(f"run {run_id}: {what} in store {store.root}")
    return max(hits, key=lambda hit: hit[0].generation)
