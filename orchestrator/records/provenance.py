"""Which code and which packages a record was made with."""

from __future__ import annotations

import hashlib
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_NAMED = ("torch", "lightning", "hydra-core", "numpy", "pandas", "submitit", "wandb")


ROOMS = ("models", "measures", "optimizers", "tasks", "training", "trunks.py", "prng.py",
         "config.py")  # fmt: skip
"""Where results are computed: folders with all they hold, and files."""
SOURCES = (".py", ".cpp", ".h")
"""Endings of the files there that compute; every other ending is something made of them."""


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of the source that results depend on, C++ and headers too: names and contents."""
    digest = hashlib.sha256()
    for path in sorted(p for room in ROOMS for p in _files(_PACKAGE / room)):
        for part in (path.relative_to(_PACKAGE).as_posix().encode(), path.read_bytes()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def _files(room: Path) -> list[Path]:
    if room.is_file():
        return [room]
    return [p for p in room.rglob("*") if p.suffix in SOURCES and p.is_file()]


@lru_cache(maxsize=1)
def git_commit() -> str | None:
    """Commit of the checkout this package runs from, "+" where it was changed; None outside."""
    if not (_PACKAGE.parent / ".git").exists():
        return None
    try:
        out = subprocess.run(
            ["git", "-C", str(_PACKAGE), "describe", "--always", "--abbrev=12", "--dirty=+"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None  # no git, or no commit yet: a record without commit says so
    return out.stdout.strip()


def package_versions() -> dict[str, str]:
    """Versions of the packages that results or records depend on."""
    out = {}
    for name in _NAMED:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out
