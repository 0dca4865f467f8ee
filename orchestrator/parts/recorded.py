"""Parts as a record has them: settings and facts, for whoever reads records. Nothing is imported.

A pack that names a user's part keeps these facts beside its configs, so that collecting, status and
logs work wherever the store can be read, and run nobody's code.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from orchestrator.parts.own import ours, user_parts

if TYPE_CHECKING:
    from orchestrator.config import RunConfig

TASK_FACTS = ("name", "version", "vocab", "length", "chance", "chance_loss")


def facts(run: RunConfig) -> dict[str, Any]:
    """What a record must hold of a run's own parts to be read without them; {} for ours."""
    from orchestrator.identity import target

    kinds = {part.kind for part in user_parts(run)}
    out: dict[str, Any] = {}
    if "task" in kinds:
        s = run.task.scored
        out["task"] = {name: getattr(run.task, name) for name in TASK_FACTS}
        out["task"]["scored"] = [s.start, s.stop, s.step]
    if "model" in kinds:
        from orchestrator.parts.counts import counts

        out["model"] = {"_target_": target(run.model), **vars(counts(run))}
    return out


def recorded_task(data: dict[str, Any], known: dict[str, Any]) -> Any:
    """A task that stands for a user's: its settings and facts; it makes no batches.

    Facts that an older record lacks are None.
    """
    words = {**dict.fromkeys(TASK_FACTS), **known}
    words["scored"] = slice(*known["scored"]) if "scored" in known else slice(None)
    if words["name"] is None:
        words["name"] = data["_target_"].rpartition(".")[2]
    return _stand_in(data, words)


def recorded_model(data: dict[str, Any], known: dict[str, Any]) -> Any:
    """A model that stands for a user's: its settings, and its counts where they are on record."""
    from orchestrator.parts.settings import OwnModel

    return _stand_in(data, {"counted": known or None}, (OwnModel,))


def recorded_optim(data: dict[str, Any]) -> Any:
    """An optimiser that stands for a user's: its settings."""
    from orchestrator.optimizers.base import Optim

    return _stand_in(data, {}, (Optim,))


def is_recorded(target: str, known: dict[str, Any] | None) -> bool:
    """Whether a part is read from a record (`known` is given) and is not ours."""
    return known is not None and not ours(target)


def _stand_in(data: dict[str, Any], known: dict[str, Any], bases: tuple[type, ...] = ()) -> Any:
    settings = {k: v for k, v in data.items() if k != "_target_"}
    space = {k: v for k, v in known.items() if k not in settings} | {"_target_": data["_target_"]}
    cls = dataclasses.make_dataclass(
        data["_target_"].rpartition(".")[2], [(k, Any) for k in settings], bases=bases,
        namespace=space, frozen=True, kw_only=True,
    )  # fmt: skip
    return cls(**settings)
