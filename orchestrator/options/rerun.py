"""A run's resolved config as a sweep file that trains that very run again, by the same id."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.records.load import find_run
from orchestrator.records.store import open_store

GROUPS = ("task", "model", "optim", "budget")


def run_file(run_id: str) -> str:
    """The YAML of a run, named by its id or the beginning of it.

    Nothing of the user's own code is imported. Raises: UserError where the store has no such run.
    """
    from omegaconf import OmegaConf

    store = open_store()
    pack, slot = find_run(store, run_id)
    run, config = pack.run_ids[slot], pack.config(slot)
    defaults = ["config", *({f"override {group}": None} for group in GROUPS), "_self_"]
    # by OmegaConf, which reads it again: to it 1e-3 is a number, to YAML a text
    text = OmegaConf.to_yaml(OmegaConf.create({"defaults": defaults, **_literal(config)}))
    return (
        f"# Run {run}, with every setting that its result depends on. Written into a file, say\n"
        f"# again.yaml, `orchestrator submit ./again.yaml` trains that very run.\n{text}"
    )


def _literal(x: Any) -> Any:
    """Settings whose texts are no interpolations to OmegaConf."""
    if isinstance(x, dict):
        return {k: _literal(v) for k, v in x.items()}
    if isinstance(x, list):
        return [_literal(v) for v in x]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", x) if isinstance(x, str) else x
