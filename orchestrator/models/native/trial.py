"""Whether our C++ may train on this machine: it builds, and its self-check finds torch's losses.

Tried in a process of its own, so that planning imports no torch and a crash is an answer too; what
came of it stands beside the library (build.py), so that the next process knows at once.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache

from orchestrator.errors import UserError
from orchestrator.models.native.build import Unbuilt, checked, remember, standing

CHECK = "orchestrator.training.selfcheck"
LONGEST_S = 600.0
"""Seconds that building and checking may take."""


@cache
def trouble() -> str | None:
    """Why our C++ can't be used here, in one line; None where it can."""
    try:
        record = standing()
    except Unbuilt as e:
        return str(e)
    if not checked(record):
        print("building our C++ for this machine, once", file=sys.stderr, flush=True)
        why = _tried()
        if why is not None:
            return why
        record = standing()
        if not checked(record):
            return "what came of building and checking it can't be kept; is its cache written to?"
    differs = record["differs"]
    return f"its self-check failed: {differs}" if differs else None


def _tried() -> str | None:
    """Build and check. What went wrong where nothing could be remembered, else None."""
    words = [sys.executable, "-m", CHECK]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return f"building and checking it took more than {LONGEST_S:.0f} s"
    if done.returncode < 0:
        remember(f"it died of signal {-done.returncode}")
        return None
    if done.returncode:
        lines = (done.stdout.strip() or done.stderr.strip() or "no word why").splitlines()
        return lines[-1]
    return None


def chosen(native: str) -> bool:
    """What `execution.native` means on this machine: auto is on where there is no `trouble`.

    Raises: UserError where it is on and there is.
    """
    why = None if native == "off" else trouble()
    if why is None:
        return native != "off"
    if native == "on":
        raise UserError(f"execution.native=on: our C++ can't be used here: {why}")
    _warn(why)
    return False


@cache
def _warn(why: str) -> None:
    print(
        f"training without our C++, which can't be used here: {why} (execution.native=off asks for"
        " that without a trial)",
        file=sys.stderr, flush=True,
    )  # fmt: skip
