"""The rooms of `analysis` import one way, `stats` knows no gamma, and no two modules need each other."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import analysis

ROOT = Path(analysis.__file__).parent
# a room -> the rooms it may import, besides itself; errors, text and notebook are everyone's
ROOMS = {
    "tables": set(),
    "stats": set(),
    "forms": {"stats", "tables"},
    "gamma_star": {"stats", "tables"},
    "contrasts": {"stats", "tables"},
    "show": {"forms", "gamma_star", "contrasts", "stats", "tables"},
    "verbs": {"show", "forms", "gamma_star", "contrasts", "stats", "tables"},
}
COMMON = {"errors", "text", "notebook"}
FILES = sorted(p for p in ROOT.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(p) for p in FILES}


def imports_of(path: Path) -> set[str]:
    """The modules of `analysis` that a file imports, at its top or within a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports by full name"
            full = {f"{node.module}.{a.name}" for a in node.names}
            found |= {name if name in MODULES else node.module for name in full}
    return {name for name in found if name.split(".")[0] == "analysis"}


def room_of(module: str) -> str:
    return (module.split(".") + ["", ""])[1]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_those_below_it_alone(room):
    files = [p for p in FILES if room_of(module_of(p)) == room]
    assert files
    for path in files:
        for name in imports_of(path):
            allowed = {room, *ROOMS[room], *COMMON}
            assert room_of(name) in allowed, f"{module_of(path)} imports {name}"


def test_every_file_stands_in_a_room():
    loose = {p.stem for p in FILES if p.parent == ROOT}
    assert loose == {"__init__", "__main__", "cli", *COMMON}
    assert {p.name for p in ROOT.iterdir() if p.is_dir() and p.name != "__pycache__"} == set(ROOMS)


def test_no_two_modules_need_each_other():
    needs = {module_of(p): imports_of(p) - {module_of(p)} for p in FILES}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" needs ".join(error.args[1]))


def test_stats_knows_no_gamma():
    for path in FILES:
        if room_of(module_of(path)) == "stats":
            said = re.findall(
                r"(?<![a-z])gamma|γ|momentum|\bdepths?\b|\barms?\b", path.read_text(), re.IGNORECASE
            )
            assert not said, f"{path.name} says {said[0]!r}"
