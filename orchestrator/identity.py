"""From a config tree to what identifies it: plain dicts, the fields of a shape, hashes.

Fields say by their metadata what they are: `label` (a name, never hashed), `per_run` (not part of
the shape), `scheduled` (a learning rate), `length` (how long a run is, and when it is looked at), `part` (it may be somebody's own, and is then named by
its import path), `resolved` (another way to say a field, into which it is resolved).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.config import RunConfig


@dataclass(frozen=True)
class _Field:
    """What the walks over a config need to know of a field."""

    name: str
    part: bool
    group: bool
    label: bool
    per_run: bool
    scheduled: bool
    resolved: bool
    length: bool
    default: Any


_NO_FIELD = dataclasses.field()
_OUR_PARTS = ("orchestrator.config.Model", "orchestrator.optimizers.adamw.AdamW")
"""The default model's settings and the default optimiser."""


@cache
def _fields(cls: type) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(cls)
    out = []
    for f in dataclasses.fields(cls):
        said, make = _metadata(cls, f.name), f.default_factory
        group = "part" in said or dataclasses.is_dataclass(hints[f.name])
        default = f.default if group or make is dataclasses.MISSING else make()
        flags = (bool(said.get(k)) for k in ("label", "per_run", "scheduled", "resolved", "length"))
        out.append(_Field(f.name, "part" in said, group, *flags, default))
    return tuple(out)


def _metadata(cls: type, name: str) -> dict[str, Any]:
    """A field's metadata; one that a subclass declares again keeps what its base says of it."""
    out: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        out |= vars(base).get("__dataclass_fields__", {}).get(name, _NO_FIELD).metadata
    return out


def per_run_numbers(obj: Any) -> dict[str, bool]:
    """{field: whether it is a learning rate} of a part's fields that may differ within a pack."""
    return {f.name: f.scheduled for f in _fields(type(obj)) if f.per_run}


def plain_dict(obj: Any) -> dict[str, Any]:
    """A config tree as plain nested dicts; parts with their import paths (`target`)."""
    out: dict[str, Any] = {}
    for f in _fields(type(obj)):
        if f.resolved:
            continue
        value = getattr(obj, f.name)
        out[f.name] = plain_dict(value) if f.group else value
        if f.part and target(value):
            out[f.name]["_target_"] = target(value)
    return out


def target(part: Any) -> str | None:
    """Import path of a part's class; None for our model and AdamW, the defaults."""
    cls = type(part)
    path = getattr(cls, "_target_", f"{cls.__module__}.{cls.__qualname__}")
    return None if path in _OUR_PARTS else path


def identity(run: RunConfig, length: bool = True) -> dict[str, Any]:
    """Resolved scientific config: fields at their default and labels left out.

    `length`: with the fields that say how long it is. The seeds are the resolved ones, so that `seed=3` and `seed_init=3 seed_data=3` are one run.
    """

    def walk(obj: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for f in _fields(type(obj)):
            if f.label or (f.length and not length):
                continue
            value = getattr(obj, f.name)
            if f.group:
                named = {"_target_": target(value)} if f.part and target(value) else {}
                value = named | walk(value)
                if value:
                    out[f.name] = value
            elif value != f.default:
                out[f.name] = value
        return out

    return walk(run)


def shape_fields(obj: Any) -> dict[str, Any]:
    """The fields of a config tree that are neither `per_run` nor of its length."""
    out: dict[str, Any] = {}
    for f in _fields(type(obj)):
        value = getattr(obj, f.name)
        if f.group:
            named = {"_target_": target(value)} if f.part and target(value) else {}
            out[f.name] = named | shape_fields(value)
        elif not (f.per_run or f.length or f.resolved):
            out[f.name] = value
    return out


def flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """("model.depth", 2) and so on for every leaf of a plain tree."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def digest(tree: Any) -> str:
    """16 hexadecimal digits of a plain tree's SHA-256, whatever the order of its keys."""
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
