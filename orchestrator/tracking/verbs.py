"""What the verbs push and dashboard do, over store, choice and W&B."""

from __future__ import annotations

from orchestrator.records.store import open_store
from orchestrator.tracking.choice import chosen
from orchestrator.tracking.push import Pushed, push


def push_sweep(sweep: str, given: dict[str, str | None]) -> Pushed:
    """Send what W&B lacks of a sweep. Raises: UserError."""
    store = open_store()
    return push(store, sweep, chosen(store, sweep, given))
