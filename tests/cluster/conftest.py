"""A real four-node Slurm for a session of tests; without one they are skipped with the reason."""

from __future__ import annotations

import pytest

from tests.cluster import lab


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    """The cluster's settings as an environment for processes; up while the session lasts."""
    reason = lab.missing()
    if reason:
        pytest.skip(reason)
    with lab.cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def slurm(cluster: dict[str, str]):
    """The cluster with an empty queue. A test's jobs go with it: one whose launch failed while a
    daemon was dead is held back for good, and would be in the next test's way."""
    yield cluster
    lab.clear(cluster)
