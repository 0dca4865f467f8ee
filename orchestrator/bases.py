"""What Hydra's groups build on: every field of ours with its default, from where it is declared.

`conf/GROUP/OPTION.yaml` begins with defaults: ["/settings/NAME@_here_", _self_], and says only what
differs. NAME is the group's, or the option's own where its settings are (task=recall).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from orchestrator.config import OUR_MODEL, Budget, Model, RunConfig
from orchestrator.optimizers.adamw import AdamW
from orchestrator.optimizers.lion import Lion
from orchestrator.optimizers.muon import Muon
from orchestrator.settings import Cluster, Settings, Tracking
from orchestrator.tasks.hops import Hops
from orchestrator.tasks.induction import Induction
from orchestrator.tasks.recall import Recall

OWN = {"task": (Hops, Induction, Recall), "optim": (AdamW, Lion, Muon)}
"""Groups whose options are classes of their own."""


def bases() -> dict[str, dict[str, Any]]:
    """Fields with their defaults, by NAME; `run` holds those that are in no group."""
    out = {
        "model": {"_target_": OUR_MODEL, **fields_of(Model)}, "budget": fields_of(Budget),
        "cluster": fields_of(Cluster), "tracking": fields_of(Tracking),
    }  # fmt: skip
    for classes in OWN.values():
        for cls in classes:
            target = f"{cls.__module__}.{cls.__qualname__}"
            out[cls.__name__.lower()] = {"_target_": target, **fields_of(cls)}
    everything = {**fields_of(RunConfig), **fields_of(Settings)}
    groups = (*out, *OWN)
    return {**out, "run": {k: v for k, v in everything.items() if k not in groups}}


def fields_of(cls: type) -> dict[str, Any]:
    """A dataclass' fields with their defaults, groups as nested dicts; one without is left out."""
    out: dict[str, Any] = {}
    for f in dataclasses.fields(cls):
        value = f.default
        if f.default_factory is not dataclasses.MISSING:
            value = f.default_factory()
        if value is not dataclasses.MISSING:
            out[f.name] = fields_of(type(value)) if dataclasses.is_dataclass(value) else value
    return out
