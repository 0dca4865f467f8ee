"""Files that survive crashes and shared file systems: exclusive, atomic, or appended whole.

No lock, no database: a file is created exclusively by a hard link (atomic on NFS too), replaced
by a rename, or appended to by its one owner, line by line.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError
from orchestrator.records.damage import say, set_aside
from orchestrator.records.sealed import Damaged, seal, unseal


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
    """Create the store if need be, for its owner alone, and prove that it can be written.

    Raises: UserError where it can't.
    """
    try:
        if not store.root.exists():
            store.root.parent.mkdir(parents=True, exist_ok=True)
            store.root.mkdir(mode=0o700, exist_ok=True)
        share_alike(store)
        write_new(store.root / f".probe-{uuid.uuid4().hex}", b"").unlink()
    except OSError as e:
        reason = e.strerror or str(e)
        raise UserError(
            f"store {store.root}: can't be written ({reason}); "
            "set ORCHESTRATOR_STORE to a folder that can"
        ) from e


def share_alike(store: Store) -> None:
    """From here on this process gives what it writes the permissions of the store's own folder.

    So who may read or write the folder (`chmod 750`, `chmod 2770`) may read or write the records.
    """
    os.umask(0o777 & ~os.stat(store.root).st_mode)


def write_new(path: Path, content: bytes) -> Path:
    """Create `path` with `content`, whole or not at all.

    Raises: FileExistsError where it exists already.
    """
    temporary = _temporary(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        if os.stat(temporary).st_nlink != 2:  # NFS may answer so when it has done it a moment ago
            raise
    finally:
        temporary.unlink()
    return path


def write_numbered(folder: Path, content: bytes, number: int) -> Path:
    """Create FOLDER/<number>.json, or the next one that nobody has taken."""
    while True:
        try:
            return write_new(folder / f"{number:06d}.json", content)
        except FileExistsError:
            number += 1  # another process was faster


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
    except BaseException as e:
        with suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        if isinstance(e, OSError):
            e.filename = str(path)
        raise
    return temporary


def append_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append one sealed line a row, and bring them to the disk; all of them or none."""
    with open(path, "ab") as f:
        before = f.seek(0, os.SEEK_END)
        try:
            f.write(b"".join(seal(row) for row in rows))
            f.flush()
            os.fsync(f.fileno())
        except OSError as e:  # a full disk: half a line would spoil the next one, too
            os.ftruncate(f.fileno(), before)
            e.filename = str(path)
            raise


class Tail:
    """Reads what a file of JSON lines has grown by; a line without its end is left for later."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0

    def new(self) -> list[Any]:
        """The rows since the last call; [] where there are none, or no file.

        A damaged line is left out, and named once.
        """
        try:
            with open(self.path, "rb") as f:
                f.seek(self.offset)
                content = f.read()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except IsADirectoryError:
            set_aside(self.path, "a folder", os.lstat(self.path))
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        rows, bad = whole_lines(whole)
        if bad:
            say(self.path, f"{len(bad)} damaged lines are left out")
        return rows


def whole_lines(content: bytes) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The rows of JSON lines, and the lines that are damaged."""
    rows, bad = [], []
    for line in content.split(b"\n"):
        if not line:
            continue
        try:
            row = unseal(line)
        except Damaged:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            bad.append(line)
    return rows, bad


def read_lines(path: Path) -> list[Any]:
    """The rows of a file of JSON lines; [] where it does not exist.

    A last line without its newline is one that a crash cut off, or that is being written: it is
    left out, as is a damaged one, which is named.
    """
    return Tail(path).new()


Test = Callable[[dict[str, Any]], bool]


def inspect(
    path: Path, needs: Iterable[str] = (), fits: Test = lambda data: True
) -> dict[str, Any] | None:
    """The content of a JSON file as it is, None where there is no file; nothing is moved.

    Raises: Damaged where it is not what was written, lacks one of the keys that it `needs`, or
    does not fit.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError as e:
        raise Damaged("a folder") from e
    data = unseal(content)
    if not isinstance(data, dict):
        raise Damaged("not a JSON object")
    lacking = [key for key in needs if key not in data]
    if lacking:
        raise Damaged(f"without {', '.join(lacking)}")
    try:
        sound = fits(data)
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise Damaged("not what belongs there")
    return data


def read_json(
    path: Path, needs: Iterable[str] = (), fits: Test = lambda data: True
) -> dict[str, Any] | None:
    """The content of a JSON file; None where there is none.

    A damaged one, as `inspect` says, is set aside and counts as none.
    """
    try:
        return inspect(path, needs, fits)
    except PermissionError:
        say(path, "not readable; left out")
        return None
    except Damaged:
        pass
    try:  # again, and by its name: it may have been replaced a moment ago
        now = os.lstat(path)
        return inspect(path, needs, fits)
    except FileNotFoundError:
        return None
    except Damaged as e:
        set_aside(path, str(e), now)
        return None
