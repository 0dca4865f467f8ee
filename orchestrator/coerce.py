"""Plain dicts into frozen dataclasses, with one clear line for every kind of wrong input."""

from __future__ import annotations

import dataclasses
import types
import typing
from functools import cache
from typing import Any

from orchestrator.errors import UserError, near


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """The type of each field of a dataclass."""
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def build(cls: type, data: dict[str, Any], path: str = "", fixed: dict | None = None) -> Any:
    """An instance of the dataclass `cls` from a plain dict; `path` prefixes keys in messages.

    `fixed` holds fields that are built already. Raises: UserError.
    """
    hints = hints_of(cls)
    values: dict[str, Any] = dict(fixed or {})
    for key, value in data.items():
        if key not in hints or key.startswith("_"):
            raise UserError(unknown_key(f"{path}{key}", [f"{path}{k}" for k in hints]))
        hint = hints[key]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, dict):
                raise UserError(f"{path}{key}={plain(value)}: must be a group of settings")
            values[key] = build(hint, value, f"{path}{key}.")
        else:
            values[key] = coerce(value, hint, f"{path}{key}")
    missing = [
        f.name for f in dataclasses.fields(cls)
        if f.name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    if missing:
        raise UserError(f"{path}{missing[0]}: must be given")
    return cls(**values)


def coerce(value: Any, hint: Any, key: str) -> Any:
    """`value` as the type `hint` says, or UserError. Whole floats pass for integers."""
    if hint is Any:
        return value
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            names = [str(a) for a in allowed]
            hint = near(str(value), names)
            raise UserError(f"{key}={plain(value)}: must be one of {', '.join(names)}{hint}")
        return value
    if origin in (typing.Union, types.UnionType):
        options = typing.get_args(hint)
        for option in options:
            try:
                return coerce(value, option, key)
            except UserError:
                continue
        raise _wrong(value, hint, key)
    if hint is type(None):
        if value is None:
            return None
    elif hint is bool:
        if isinstance(value, bool):
            return value
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
    elif hint is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif hint is str:
        if isinstance(value, str):
            return value
    elif origin is list or hint is list:
        if isinstance(value, (list, tuple)):
            inner = typing.get_args(hint)
            if inner:
                return [coerce(v, inner[0], key) for v in value]
            return [_number_or_list(v, key) for v in value]
    elif (origin is dict or hint is dict) and isinstance(value, dict):
        return value
    raise _wrong(value, hint, key)


def _wrong(value: Any, hint: Any, key: str) -> UserError:
    sweep = ""
    if isinstance(value, list) and value:
        sweep = (
            f"; to sweep over values write {key}={','.join(map(plain, value))} (in a file as a text, "
            "or choice(...))"
        )
    return UserError(f"{key}={plain(value)}: must be {type_name(hint)}{sweep}")


def _number_or_list(value: Any, key: str) -> Any:
    if isinstance(value, (list, tuple)):
        return [coerce(v, float, key) for v in value]
    return coerce(value, float, key)


def unknown_key(key: str, allowed: list[str]) -> str:
    """Message for a key that does not exist, with the nearest that does."""
    hint = near(key, allowed, cutoff=0.5)
    if hint:
        return f"{key}: no such setting{hint}"
    return f"{key}: no such setting (allowed: {', '.join(sorted(allowed))})"


def require(ok: bool, key: str, value: object, allowed: str) -> None:
    """Raises: UserError that says "key=value: allowed", unless `ok`."""
    if not ok:
        raise UserError(f"{key}={plain(value)}: {allowed}")


def plain(value: Any) -> str:
    """A value as a user would type it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def takes_numbers(hint: Any) -> bool:
    """Whether a field of this type takes a number and no text."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return any(kind in (int, float) for kind in kinds) and str not in kinds


def type_name(hint: Any) -> str:
    """A type in a user's words."""
    names = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
    if hint in names:
        return names[hint]
    if hint is type(None):
        return "null"
    origin = typing.get_origin(hint)
    if origin is list or hint is list:
        return "a list"
    if origin is dict or hint is dict:
        return "a mapping"
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    if hint is Any:
        return "anything"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(h) for h in typing.get_args(hint))
    return str(hint)
