"""A real four-node Slurm for a session of tests; without one they are skipped with the reason."""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

import pytest

from tests.cluster import lab


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory):
    """The cluster's settings as an environment for processes; up while the session lasts."""
    reason = lab.missing()
    if reason:
        pytest.skip(reason)
    # Its ports are fixed: of several processes that run tests, one has the cluster at a time.
    with open(Path(tempfile.gettempdir()) / "orchestrator-slurm-lab.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with lab.cluster(tmp_path_factory.mktemp("slurm")) as environment:
            yield environment
