"""How old a file is by the clock of the file server that stamps it, whatever this host's says.

A file dated later than now (a clock was put back, a date was set) has no age: it is counted from
now on. Where the folder can't be written, this host's clock has to do.
"""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

FRESH_S = 30.0
"""Seconds for which a file server's clock is reckoned from one look at it."""
TOLERANCE_S = 5.0
"""How far ahead a date may be: what two looks at a clock may differ by."""
_ahead: dict[int, tuple[float, float]] = {}
"""By device: when the server's clock was looked at, and how far it was ahead of ours."""
_seen: dict[Path, tuple[int, float]] = {}
"""Files dated later than now: their date, and since when they have had it in this process."""


def age_s(path: Path) -> float:
    """Seconds since `path` was last written; infinite where it does not exist."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return float("inf")
    age = _server_time(path.parent, found.st_dev) - found.st_mtime
    if age >= -TOLERANCE_S:
        return max(age, 0.0)
    try:
        os.utime(path)  # for everyone who asks from now on; its owner writes it anew anyway
        return 0.0
    except OSError:
        date, since = _seen.get(path, (0, 0.0))
        if date != found.st_mtime_ns:
            since = time.monotonic()
            _seen[path] = (found.st_mtime_ns, since)
        return time.monotonic() - since


def _server_time(folder: Path, device: int) -> float:
    """The time by the clock that stamps the files of a folder."""
    looked, ahead = _ahead.get(device, (-FRESH_S, 0.0))
    if time.monotonic() - looked >= FRESH_S:
        probe = folder / f".clock-{uuid.uuid4().hex}"
        try:
            probe.touch()
            try:
                ahead = probe.stat().st_mtime - time.time()
            finally:
                probe.unlink()
        except OSError:
            ahead = 0.0  # read-only, or full
        _ahead[device] = (time.monotonic(), ahead)
    return time.time() + ahead
