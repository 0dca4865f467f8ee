"""A job's answers to Slurm's signals, without Slurm: submitit's handler is a stand-in."""

from __future__ import annotations

import signal

import pytest

from orchestrator.launch.job import MOST_IN_VAIN, Job, _Signals
from orchestrator.records.attempts import claim
from orchestrator.records.store import Store


@pytest.fixture
def requeues():
    """submitit's handler as a list of its calls; the process's own handlers come back after."""
    names = (signal.SIGUSR2, signal.SIGALRM, signal.SIGTERM)
    before = {s: signal.getsignal(s) for s in names}
    calls: list[int] = []
    signal.signal(signal.SIGUSR2, lambda number, frame: calls.append(number))
    yield calls
    signal.alarm(0)
    for number, handler in before.items():
        signal.signal(number, handler)


def late(job: Job, store: Store, handler, trained: bool) -> None:
    """One start of the job: it claims its pack, and the limit comes before training can stop."""
    signal.signal(signal.SIGUSR2, handler)
    signals = _Signals(job, store)
    attempt = claim(store, "p1", {})
    assert attempt is not None
    if trained:
        attempt.checkpoint.touch()
    (attempt.folder / "end.json").write_text("{}")  # so that the next start may claim it
    signal.raise_signal(signal.SIGUSR2)
    assert signals.stop.is_set()
    signal.raise_signal(signal.SIGALRM)


def test_a_time_limit_below_the_start_up_does_not_requeue_for_ever(tmp_path, requeues):
    store = Store(tmp_path)
    (store.packs / "p1").mkdir(parents=True)
    job = Job(str(tmp_path), ["p1"], {}, "tiny", {}, 90)
    handler = signal.getsignal(signal.SIGUSR2)
    late(job, store, handler, trained=False)
    late(job, store, handler, trained=True)  # this one came further: the count starts anew
    for _ in range(MOST_IN_VAIN - 1):
        late(job, store, handler, trained=False)
    assert len(requeues) == MOST_IN_VAIN + 1
    with pytest.raises(RuntimeError, match="cluster.time is too short: 3 times in a row"):
        late(job, store, handler, trained=False)
    assert len(requeues) == MOST_IN_VAIN + 1
