"""Finding sweep files: a path, a name in ./sweeps, a name among those that came with us."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.errors import UserError, near

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """The folder `conf` or `sweeps` that came with the package (wheel or checkout)."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def folders() -> list[Path]:
    """Where a sweep is looked for by its name."""
    return [f for f in (Path("sweeps").absolute(), shipped("sweeps")) if f.is_dir()]


def known_sweeps() -> list[str]:
    """Every name that `find_sweep` finds, such as demo or sub/inner."""
    found = {p.relative_to(f).with_suffix("") for f in folders() for p in f.rglob("*.yaml")}
    return sorted(map(str, found))


def find_sweep(sweep: str) -> Path:
    """The file of a sweep: a path, or a name in ./sweeps, then among the shipped ones.

    Raises: UserError naming the sweeps there are.
    """
    suffixed = sweep.endswith((".yaml", ".yml"))
    path = Path(sweep if suffixed else f"{sweep}.yaml")
    named = [] if sweep.startswith((".", "/")) else [f / path for f in folders()]
    for place in [path, *named] if suffixed else [*named, path]:
        if place.is_file():
            return place.absolute()
    if sweep.startswith((".", "/")):
        raise UserError(f"sweep {sweep}: no such file")
    known = known_sweeps()
    hint = near(sweep, known) or near(Path(sweep).stem, known)
    raise UserError(f"sweep {sweep}: not found{hint}; known: {', '.join(known) or 'none'}")


def sweep_name(path: Path, name: str | None) -> str:
    """Name of the sweep's results: the file's `sweep.name`, else its stem."""
    name = name or path.stem
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise UserError(f"sweep.name={name}: must be letters, digits, '_', '-' and '.'")
    return name
