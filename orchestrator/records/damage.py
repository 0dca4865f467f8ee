"""A damaged record is set aside and named in one line, and then counts as one that is not there.

It is renamed, beside itself, so that nobody stumbles over it again and a person can look at it;
in a store that can't be written it is left where it is, and left out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_named: set[tuple[str, str]] = set()


def say(path: Path, text: str) -> None:
    """One line on standard error, once a process."""
    if (str(path), text) not in _named:
        _named.add((str(path), text))
        print(f"orchestrator: {path}: {text}", file=sys.stderr, flush=True)


def set_aside(path: Path, why: str, read: os.stat_result) -> Path | None:
    """Rename a damaged record to NAME.damaged; None where that can't be, or is not needed.

    `read`: the file that was found damaged; what has taken its place since is left alone.
    """
    try:
        now = os.lstat(path)
        if (now.st_ino, now.st_mtime_ns) != (read.st_ino, read.st_mtime_ns):
            return None
        target = aside(path)
        os.rename(path, target)
    except FileNotFoundError:
        return None  # another process was faster
    except OSError:
        say(path, f"damaged ({why}); left out")
        return None
    say(path, f"damaged ({why}); set aside as {target.name}")
    return target


def aside(path: Path) -> Path:
    """A free name for a damaged record."""
    target, number = path.with_name(f"{path.name}.damaged"), 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{path.name}.damaged-{number}")
    return target
