"""Slurm's spellings of a time limit as minutes, and seconds as people say them."""

from __future__ import annotations

import math
import re

from orchestrator.errors import UserError

_FORMS = (
    r"(?P<m>\d+)",
    r"(?P<m>\d+):(?P<s>\d\d)",
    r"(?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d)",
    r"(?P<d>\d+)-(?P<h>\d+)",
    r"(?P<d>\d+)-(?P<h>\d+):(?P<m>\d\d)",
    r"(?P<d>\d+)-(?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d)",
)


def minutes(value: int | str, key: str) -> int:
    """A time limit in whole minutes, rounded up. Raises: UserError that names `key`."""
    for form in _FORMS:
        match = re.fullmatch(form, str(value).strip())
        if match:
            part = {k: int(v) for k, v in match.groupdict().items()}
            hours = part.get("d", 0) * 24 + part.get("h", 0)
            out = hours * 60 + part.get("m", 0) + math.ceil(part.get("s", 0) / 60)
            if out > 0:
                return out
    raise UserError(
        f"{key}={value}: must be minutes, or one of MM:SS, H:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS"
    )


def duration(seconds: float) -> str:
    """Seconds in the unit that people would use: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
