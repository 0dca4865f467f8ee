"""Errors that are the user's to mend: one clear line, exit status 2, nothing written."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The message names the key, the value and what is allowed."""


def near(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """ " (did you mean X?)" where one of the known words is like `word`, else nothing."""
    found = difflib.get_close_matches(word, list(known), 1, cutoff)
    return f" (did you mean {found[0]}?)" if found else ""
