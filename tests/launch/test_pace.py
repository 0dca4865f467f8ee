"""How much work is thought to be left, and over how many processes it is spread."""

from __future__ import annotations

import pytest

from orchestrator.launch import pace
from orchestrator.launch.launcher import launcher
from orchestrator.settings import Cluster, Execution, Settings


def test_time_left_follows_the_pace_since_the_first_look(monkeypatch):
    clock = iter([100.0, 110.0, 120.0, 130.0, 140.0])
    monkeypatch.setattr(pace.time, "monotonic", lambda: next(clock))
    seen = pace.Pace()
    assert seen.left_s(0.2) is None  # nothing has moved yet
    assert seen.left_s(0.4) == pytest.approx(30.0)  # a fifth in 10 s, three fifths to go
    assert seen.left_s(0.6, after_s=60.0) is None
    assert seen.left_s(0.1) is None  # work was lost: anew from here
    assert seen.left_s(0.4) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [({"max_jobs": 40}, 40), ({"max_jobs": 40, "parallelism": 8}, 8),
     ({"max_jobs": 8, "parallelism": 40}, 8), ({"max_jobs": 40, "processes": 3}, 3)],
)  # fmt: skip
def test_on_slurm_the_jobs_decide_not_this_machines_cores(cluster, expected):
    settings = Settings(cluster=Cluster(name="slurm", **cluster), execution=Execution(threads=1))
    assert launcher(settings).processes() == expected
