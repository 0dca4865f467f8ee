"""A user's model as a section of the config: its constructor's arguments are typed settings."""

from __future__ import annotations

import dataclasses
import inspect
import math
import typing
from functools import lru_cache
from typing import Any, ClassVar

from orchestrator.coerce import build
from orchestrator.parts.own import Part, guarded, load

GIVEN = ("vocab", "length", "scored")
"""Arguments of a constructor that come from the task, by name, where it has them."""


class OwnModel:
    """Settings of a user's model: a frozen dataclass made of its constructor's arguments."""

    _target_: ClassVar[str]
    momentum: ClassVar[None] = None
    counted: ClassVar[dict[str, Any] | None] = None
    """Its counts, where it stands for a record (parts.recorded)."""

    @property
    def name(self) -> str:
        """What it is called where tables name an arm."""
        return self._target_.rpartition(".")[2]


def own_model(data: dict[str, Any]) -> OwnModel:
    """The section `model` of a config whose _target_ is a user's. Raises: UserError."""
    part = Part("model", "model._target_", data["_target_"])
    cls = _settings_of(part)
    values = {k: v for k, v in data.items() if k != "_target_"}
    return build(cls, values, path="model.")


@lru_cache(maxsize=64)
def _settings_of(part: Part) -> type:
    """The dataclass of a model's settings, from its constructor's signature."""
    found = load(part)
    from torch import nn

    part.require(
        isinstance(found, type) and issubclass(found, nn.Module), "must be a class of nn.Module"
    )
    with guarded(part, "its constructor's type hints can't be read"):
        words = list(inspect.signature(found).parameters.values())
        hints = typing.get_type_hints(found.__init__)
    fields: list[Any] = []
    for word in words:
        if word.name in GIVEN:
            continue
        part.require(
            word.kind in (word.POSITIONAL_OR_KEYWORD, word.KEYWORD_ONLY),
            f"its constructor takes {word}: name each setting, with a type and a default",
        )
        part.require(
            not word.name.startswith("_") and word.name not in dir(OwnModel),
            f"its constructor's {word.name} can't be the name of a setting",
        )
        hint = hints.get(word.name, Any)
        if word.default is word.empty:
            fields.append((word.name, hint))
        else:
            default = word.default
            default = list(default) if isinstance(default, tuple) else default
            part.require(is_plain(default), f"its constructor's {word.name}={default!r}: {PLAIN}")
            field = dataclasses.field(default_factory=_copy(default)) if isinstance(
                default, (list, dict)) else dataclasses.field(default=default)  # fmt: skip
            fields.append((word.name, hint, field))
    fields.sort(key=len)  # those without a default first, as dataclasses want it
    path = f"{found.__module__}.{found.__qualname__}"
    with guarded(part, "its constructor's arguments can't be settings"):
        return dataclasses.make_dataclass(
            found.__name__, fields, bases=(OwnModel,), namespace={"_target_": path}, frozen=True
        )


PLAIN = "a setting must be a number, text, true, false, null, or a list of them"


def is_plain(value: Any) -> bool:
    """Whether a value comes back from JSON as it was: what a record can hold."""
    if isinstance(value, list):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) and is_plain(v) for k, v in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (bool, int, str))


def _copy(value: Any) -> Any:
    return lambda: value.copy()
