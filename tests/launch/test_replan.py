"""A pack that cannot be trained as it was frozen is closed, and its runs go into new ones."""

from __future__ import annotations

import pytest

from orchestrator.records.attempts import attempts, results
from orchestrator.records.packs import all_packs, closed
from orchestrator.records.store import open_store
from tests.conftest import orchestrator


@pytest.fixture
def no_compiler_at_training(sweep_file, tmp_path, monkeypatch):
    """A login node that has a compiler, nodes that have none: CXX names one that is gone."""
    words = ["model.depth=1", "seed=0", "execution.native=on", "execution.retries=0"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    return words


def test_retry_replan(no_compiler_at_training, tiny):
    failed = orchestrator("submit", "small", *tiny, *no_compiler_at_training)
    assert failed.returncode == 1, failed.stderr
    store = open_store()
    (old,) = all_packs(store)
    assert old.frozen.native
    assert orchestrator("retry", "small").returncode == 1  # as frozen: no better
    again = orchestrator("retry", "small", "--replan")
    assert again.returncode == 0, again.stderr
    assert "1 packs are closed, 1 new ones take over" in again.stderr
    new = next(p for p in all_packs(store) if p.pack_id != old.pack_id)
    assert closed(store, old.pack_id) and not closed(store, new.pack_id)
    assert not new.frozen.native and new.generation == old.generation + 1
    assert set(results(attempts(store, new.pack_id))) == set(old.run_ids)
    done = orchestrator("collect", "small")
    assert done.returncode == 0 and done.stdout.startswith("2 of 2 runs")
