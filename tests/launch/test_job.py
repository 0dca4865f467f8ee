"""A job's answers to Slurm's signals, without Slurm: `scontrol` is a stand-in that writes down its calls."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from orchestrator.launch.job import MOST_IN_VAIN, Job
from orchestrator.records.attempts import claim
from orchestrator.records.store import Store


@pytest.fixture
def requeues(tmp_path, monkeypatch):
    """The calls of scontrol; the process's own handlers come back after."""
    names = (signal.SIGUSR2, signal.SIGALRM, signal.SIGTERM)
    before = {s: signal.getsignal(s) for s in names}
    (tmp_path / "bin").mkdir()
    calls = tmp_path / "calls"
    (tmp_path / "bin/scontrol").write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    (tmp_path / "bin/scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    yield calls
    signal.alarm(0)
    for number, handler in before.items():
        signal.signal(number, handler)


def late(store: Store, folder: Path, trained: bool) -> None:
    """One start of the job: it claims its pack, and the limit comes before training can stop."""
    job = Job(store, ["p1"], 90, folder)
    attempt = claim(store, "p1", {})
    assert attempt is not None
    if trained:
        attempt.checkpoint.touch()
    (attempt.folder / "end.json").write_text('{"status": "stopped"}')  # the next may claim it
    signal.raise_signal(signal.SIGUSR2)
    assert job.stop.is_set()
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGALRM)


def test_a_time_limit_below_the_start_up_does_not_requeue_for_ever(tmp_path, requeues):
    store = Store(tmp_path)
    (store.packs / "p1").mkdir(parents=True)
    late(store, tmp_path, trained=False)
    late(store, tmp_path, trained=True)  # this one came further: the count starts anew
    for _ in range(MOST_IN_VAIN - 1):
        late(store, tmp_path, trained=False)
    assert requeues.read_text().splitlines() == ["requeue 7_3"] * (MOST_IN_VAIN + 1)
    with pytest.raises(RuntimeError, match="cluster.time is too short: 3 times in a row"):
        late(store, tmp_path, trained=False)
    assert len(requeues.read_text().splitlines()) == MOST_IN_VAIN + 1
