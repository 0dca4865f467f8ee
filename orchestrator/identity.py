"""From a config tree to what identifies it: plain dicts, the fields of a shape, hashes.

Fields say by their metadata what they are: `label` (a name, never hashed), `per_run` (not part of
the shape), `task` (somebody's own dataclass, named by its import path).
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
    task: bool
    group: bool
    label: bool
    per_run: bool
    default: Any


@cache
def _fields(cls: type) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(
        _Field(
            f.name, "task" in f.metadata, "task" in f.metadata or dataclasses.is_dataclass(hints[f.name]),
            bool(f.metadata.get("label")), bool(f.metadata.get("per_run")), f.default,
        )
        for f in dataclasses.fields(cls)
    )  # fmt: skip


def plain_dict(obj: Any) -> dict[str, Any]:
    """A config tree as plain nested dicts; the task with the import path of its class."""
    out: dict[str, Any] = {}
    for f in _fields(type(obj)):
        value = getattr(obj, f.name)
        out[f.name] = plain_dict(value) if f.group else value
        if f.task:
            out[f.name]["_target_"] = _target(value)
    return out


def _target(task: Any) -> str:
    return f"{type(task).__module__}.{type(task).__qualname__}"


def identity(run: RunConfig) -> dict[str, Any]:
    """Resolved scientific config: fields at their default and labels left out.

    The seeds are the resolved ones, so that `seed=3` and `seed_init=3 seed_data=3` are one run.
    """

    def walk(obj: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for f in _fields(type(obj)):
            if f.label:
                continue
            value = getattr(obj, f.name)
            if f.group:
                value = walk(value)
                if value:
                    out[f.name] = value
            elif value != f.default:
                out[f.name] = value
        return out

    out = walk(run)
    out["task"] = {"_target_": _target(run.task), **out.get("task", {})}
    return out


def shape_fields(obj: Any) -> dict[str, Any]:
    """The fields of a config tree that are not `per_run`."""
    out: dict[str, Any] = {}
    for f in _fields(type(obj)):
        value = getattr(obj, f.name)
        if f.task:
            out[f.name] = {"_target_": _target(value), **plain_dict(value)}
        elif f.group:
            out[f.name] = shape_fields(value)
        elif not f.per_run:
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
