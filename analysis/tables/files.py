"""A file is written whole or not at all, and known by its bytes."""

from __future__ import annotations

import hashlib
import os
import tempfile
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


def check_place(path: Path, folder: bool = False) -> None:
    """Raise InputError where `path` (a file, or a folder of files) could not be written, before the
    work is done; what is missing of its folders is made when it is."""
    if folder and path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; a folder is needed to write to")
    if not folder and path.is_dir():
        raise InputError(f"{path}: is a folder; a file's name is needed to write to")
    parent = path if folder else path.parent
    while not os.path.lexists(parent) and parent != parent.parent:
        parent = parent.parent
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise InputError(f"can't write {path}: {parent}: {error.strerror or error}") from None


def sha256_of(path: Path) -> str | None:
    """SHA-256 of a file's bytes; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
