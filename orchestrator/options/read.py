"""Every setting there is, read from where it is declared: fields, their docstrings, the groups' files.

Imports neither torch nor Hydra; of a group's own classes (tasks, optimisers) only those named.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.bases import OWN
from orchestrator.coerce import type_name
from orchestrator.config import RunConfig
from orchestrator.launch.sweeps import shipped
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Option:
    """One setting."""

    key: str
    type: str
    """In words: an integer, a number or null, one of a, b."""
    default: Any
    doc: str
    """Its docstring, unit included; "" where it has none."""
    choices: tuple[str, ...] = ()
    """Every value it can have, where these are few."""


@dataclass(frozen=True)
class Section:
    """A group of settings, or one option of a group that has settings of its own (task=recall)."""

    name: str
    doc: str
    options: list[Option]
    files: dict[str, str] = field(default_factory=dict)
    """Options of the group of this name, and what each is, by its file's first comment."""


def sections() -> list[Section]:
    """All of them, in the order of the config."""
    return [*_walk(RunConfig, ""), *_walk(Settings, "")]


def field_docs(cls: type) -> dict[str, str]:
    """The docstring under each field of a dataclass and its bases, on one line."""
    out: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        for node, below in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                out[node.target.id] = " ".join(str(below.value.value).split())
    return out


def group_files(group: str) -> dict[str, Path]:
    """Options of a group by name: of ./conf first, then those that came with us."""
    out: dict[str, Path] = {}
    for folder in (shipped("conf"), Path("conf")):
        out |= {p.stem: p for p in sorted((folder / group).glob("*.yaml"))}
    return out


def groups() -> list[str]:
    """Names of all groups, such as model and model/momentum."""
    found = {
        str(p.parent.relative_to(folder))
        for folder in (shipped("conf"), Path("conf"))
        for p in folder.rglob("*/*.yaml")
    }
    return sorted(found)


def _walk(cls: type, prefix: str) -> Iterator[Section]:
    """The section of a dataclass, then those of its groups."""
    name = prefix.rstrip(".")
    files = {o: _comment(p) for o, p in group_files(name.replace(".", "/")).items() if name}
    below: list[tuple[str, Any]] = []
    options: list[Option] = []
    docs, hints = field_docs(cls), typing.get_type_hints(cls)
    for f in dataclasses.fields(cls):
        key, hint = f"{prefix}{f.name}", hints[f.name]
        default = _default(f)
        if dataclasses.is_dataclass(hint):
            below.append((key, hint))
        elif f.metadata.get("task") or f.metadata.get("part"):
            below.append((key, type(default) if dataclasses.is_dataclass(default) else None))
        else:
            choices = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
            options.append(
                Option(
                    key, type_name(hint), default, docs.get(f.name, ""), tuple(map(str, choices))
                )
            )
    if options:
        yield Section(name, _first_paragraph(cls), options, files)
    for key, hint in below:
        own = dict(_own_classes(key))
        if own:  # tasks, optimisers: each with settings of its own
            yield Section(key, docs.get(key, ""), [], dict(_described(key)))
        for option, target in own.items():
            yield from (
                dataclasses.replace(s, name=f"{key}={option}", files={})
                for s in _walk(target, f"{key}.")
            )
        if not own and hint is not None:
            yield from _walk(hint, f"{key}.")


def _described(group: str) -> Iterator[tuple[str, str]]:
    for name, path in group_files(group.replace(".", "/")).items():
        yield name, _comment(path)


def _own_classes(group: str) -> Iterator[tuple[str, type]]:
    """Options of a group that have settings of their own."""
    for cls in OWN.get(group, ()):
        yield cls.__name__.lower(), cls


def _comment(path: Path) -> str:
    """The comment at the top of a file, on one line."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


def _first_paragraph(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())


def _default(f: dataclasses.Field) -> Any:
    if f.default is not dataclasses.MISSING:
        return f.default
    return None if f.default_factory is dataclasses.MISSING else f.default_factory()
