"""Which code and which packages a record was made with."""

from __future__ import annotations

import hashlib
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_NAMED = ("torch", "lightning", "hydra-core", "numpy", "pandas", "submitit", "wandb")


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of the source that results depend on: models, tasks, training, random numbers."""
    digest = hashlib.sha256()
    for room in ("models", "tasks", "training"):
        for path in sorted((_PACKAGE / room).rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update((_PACKAGE / "prng.py").read_bytes())
    return digest.hexdigest()[:12]


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
