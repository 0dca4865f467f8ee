"""Where a sweep goes in W&B: as it was submitted, unless the user says otherwise now."""

from __future__ import annotations

import dataclasses

from orchestrator.errors import UserError
from orchestrator.records.manifests import read_manifests
from orchestrator.records.store import Store
from orchestrator.settings import Tracking

GRANULARITIES = ("run", "pack", "sweep")


def chosen(store: Store, sweep: str, given: dict[str, str | None]) -> Tracking:
    """The sweep's tracking: of its last tracked submission, with what is `given` in its place.

    Raises: UserError for an unknown sweep or granularity.
    """
    manifests = read_manifests(store, sweep)  # says which sweeps there are
    given = {k: v for k, v in given.items() if v is not None}
    if given.get("granularity", "run") not in GRANULARITIES:
        allowed = ", ".join(GRANULARITIES)
        raise UserError(f"granularity={given['granularity']}: must be one of {allowed}")
    submitted: dict = {}
    for manifest in manifests:
        tracking = manifest.get("tracking") or {}
        if tracking.get("name") == "wandb":
            submitted = tracking
    known = {f.name for f in dataclasses.fields(Tracking)}
    submitted = {k: v for k, v in submitted.items() if k in known}
    return Tracking(**{**submitted, **given, "name": "wandb"})
