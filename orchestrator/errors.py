"""Errors that are the user's to mend: one clear line, exit status 2, nothing written."""

import difflib
import errno
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The message names the key, the value and what is allowed."""


_REFUSALS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO,
    errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EOPNOTSUPP,
}  # fmt: skip


def refusal(e: OSError) -> str | None:
    """What a file system refused, and why: a full disk, a lost permission; None for other errors."""
    if e.errno not in _REFUSALS:
        return None
    name = e.filename2 or e.filename
    return f"{name}: {e.strerror}" if name else str(e.strerror)


def near(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """ " (did you mean X?)" where one of the known words is like `word`, else nothing."""
    found = difflib.get_close_matches(word, list(known), 1, cutoff)
    return f" (did you mean {found[0]}?)" if found else ""
