"""What the verbs push and dashboard do, over store, choice and W&B."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.records.store import open_store
from orchestrator.tracking.choice import chosen
from orchestrator.tracking.dashboard import Dashboard, dashboard, specification
from orchestrator.tracking.push import Pushed, push


def push_sweep(sweep: str, given: dict[str, str | None]) -> Pushed:
    """Send what W&B lacks of a sweep. Raises: UserError."""
    store = open_store()
    return push(store, sweep, chosen(store, sweep, given))


def dashboard_of(sweep: str, given: dict[str, str | None], results: Path) -> Dashboard:
    """Make or update a sweep's workspace and report. Raises: UserError."""
    store = open_store()
    return dashboard(store, sweep, chosen(store, sweep, given), results)


def specification_of(sweep: str, given: dict[str, str | None], results: Path) -> dict[str, Any]:
    """The same as plain data, from records alone. Raises: UserError."""
    store = open_store()
    return specification(store, sweep, chosen(store, sweep, given), results)
