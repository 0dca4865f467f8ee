"""A file is written whole or not at all, and known by its bytes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from analysis.errors import InputError


def write_whole(path: Path, text: str) -> None:
    """Write text (UTF-8) beside `path`, in a folder made where absent, and move it there. Raises InputError where it can't be."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}") from error


def sha256_of(path: Path) -> str | None:
    """SHA-256 of a file's bytes; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
