"""A run's resolved config as a sweep file that trains that very run again, by the same id."""

from __future__ import annotations

from typing import Any

import yaml

from orchestrator.records.load import find_run
from orchestrator.records.store import open_store

GROUPS = ("task", "model", "optim", "budget")


def run_file(run_id: str) -> str:
    """The YAML of a run, named by its id or the beginning of it.

    Nothing of the user's own code is imported. Raises: UserError where the store has no such run.
    """
    store = open_store()
    pack, slot = find_run(store, run_id)
    run, config = pack.run_ids[slot], pack.config(slot)
    defaults = ["config", *({f"override {group}": None} for group in GROUPS), "_self_"]
    content: dict[str, Any] = {"defaults": defaults, **config}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)
    return (
        f"# Run {run}, with every setting that its result depends on. Written into a file, say\n"
        f"# again.yaml, `orchestrator submit ./again.yaml` trains that very run.\n{text}"
    )
