"""A record that says whether it is whole: JSON on one line that ends with a checksum of the rest.

What has no checksum (earlier versions, a hand's edit) is whole where it parses.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any
from zlib import crc32

_KEY = "crc32"
_MARK = b'"crc32":"'
_LENGTH = len(_MARK) + len(b'01234567"}')


class Damaged(ValueError):
    """A record that is not what was written; the message says in a few words what it is instead."""


def dumps(data: Any) -> bytes:
    """Strict JSON on one line; numbers that are not finite become null."""
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(data), separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def seal(data: dict[str, Any]) -> bytes:
    """One line of JSON with its checksum."""
    body = dumps(data)[:-2]  # without "}\n"
    comma = b"," if data else b""
    return b'%b%b%b%08x"}\n' % (body, comma, _MARK, crc32(body))


def unseal(content: bytes) -> Any:
    """The data of a line or of a whole file. Raises: Damaged."""
    content = content.rstrip(b"\n")
    if not content:
        raise Damaged("empty")
    try:
        data = json.loads(content)
    except ValueError as e:
        raise Damaged("not JSON") from e
    tail = content[-_LENGTH:]
    if not tail.startswith(_MARK) or not isinstance(data, dict):
        return data
    body = content[:-_LENGTH].removesuffix(b",")
    if data.pop(_KEY) != f"{crc32(body):08x}":
        raise Damaged("its checksum does not fit")
    return data


def ends_sound(content: bytes, last: dict[str, str]) -> bool:
    """Whether a line that `seal` wrote is as it was written, and ends with these keys.

    Its data is not parsed: what takes milliseconds for a large record takes microseconds so.
    """
    content = content.rstrip(b"\n")
    body, tail = content[:-_LENGTH].removesuffix(b","), content[-_LENGTH:]
    fits = tail == b'%b%08x"}' % (_MARK, crc32(body))
    return fits and body.endswith(b"," + dumps(last)[1:-2])


def require_whole_zip(path: Path) -> None:
    """Check every checksum of a file that torch wrote; torch itself looks at none.

    Raises: Damaged; FileNotFoundError.
    """
    try:
        with zipfile.ZipFile(path) as f:
            bad = f.testzip()
    except IsADirectoryError as e:
        raise Damaged("a folder") from e
    except (OSError, MemoryError):
        raise
    except Exception as e:  # zipfile raises whatever half a file leads it to
        raise Damaged("no file of tensors, or half of one") from e
    if bad is not None:
        raise Damaged("its checksum does not fit")


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _finite(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(v) for v in data]
    if isinstance(data, float) and data - data != 0:
        return None
    return data
