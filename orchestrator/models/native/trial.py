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
    if checked(record):
        return failed(record["differs"]) if record["differs"] else None
    print("building our C++ for this machine, once", file=sys.stderr, flush=True)
    return _tried()


def failed(differs: str) -> str:
    """What a self-check that failed is called."""
    return f"its self-check failed: {differs}"


def _tried() -> str | None:
    """Build and check. Why it can't be used; None where it can.

    By the word of the process that checks: beside the library there may stand by then what another
    version of this code has found, which shares the cache.
    """
    words = [sys.executable, "-m", CHECK]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return f"building and checking it took more than {LONGEST_S:.0f} s"
    if done.returncode < 0:
        died = f"it died of signal {-done.returncode}"
        remember(died)
        return failed(died)
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
