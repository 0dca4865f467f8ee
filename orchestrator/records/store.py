"""Files that survive crashes and shared file systems: exclusive, atomic, or appended whole.

No lock, no database: a file is created exclusively by a hard link (atomic on NFS too), replaced
by a rename, or appended to by its one owner, line by line.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError


@dataclass(frozen=True)
class Store:
    """A folder of records."""

    root: Path

    @property
    def packs(self) -> Path:
        return self.root / "packs"

    @property
    def sweeps(self) -> Path:
        return self.root / "sweeps"

    @property
    def logs(self) -> Path:
        return self.root / "logs"


def open_store(path: str | os.PathLike | None = None) -> Store:
    """The store at `path`, else at ORCHESTRATOR_STORE, else ./runs; nothing is created."""
    return Store(Path(path or os.environ.get("ORCHESTRATOR_STORE") or "runs").absolute())


def require_writable(store: Store) -> None:
    """Create the store if need be, and prove that it can be written.

    Raises: UserError where it can't.
    """
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        write_new(store.root / f".probe-{uuid.uuid4().hex}", b"").unlink()
    except OSError as e:
        reason = e.strerror or str(e)
        raise UserError(
            f"store {store.root}: can't be written ({reason}); "
            "set ORCHESTRATOR_STORE to a folder that can"
        ) from e


def dumps(data: Any) -> bytes:
    """Strict JSON on one line; numbers that are not finite become null."""
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(data), separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _finite(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(v) for v in data]
    if isinstance(data, float) and data - data != 0:
        return None
    return data


def write_new(path: Path, content: bytes) -> Path:
    """Create `path` with `content`, whole or not at all.

    Raises: FileExistsError where it exists already.
    """
    temporary = _temporary(path, content)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()
    return path


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, whole or not at all."""
    os.replace(_temporary(path, content), path)


def _temporary(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        with open(temporary, "xb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def append_lines(path: Path, rows: Iterable[Any]) -> None:
    """Append one JSON line a row, and bring them to the disk."""
    with open(path, "ab") as f:
        f.write(b"".join(dumps(row) for row in rows))
        f.flush()
        os.fsync(f.fileno())


class Tail:
    """Reads what a file of JSON lines has grown by; a line without its end is left for later."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0

    def new(self) -> list[Any]:
        """The rows since the last call; [] where there are none, or no file."""
        try:
            with open(self.path, "rb") as f:
                f.seek(self.offset)
                content = f.read()
        except (FileNotFoundError, NotADirectoryError):
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


def read_lines(path: Path) -> list[Any]:
    """The rows of a file of JSON lines; [] where it does not exist.

    A last line without its newline is one that a crash cut off: it is left out.
    """
    return Tail(path).new()


def read_json(path: Path) -> Any | None:
    """The content of a JSON file; None where it does not exist."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
