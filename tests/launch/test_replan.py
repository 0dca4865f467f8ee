"""A pack that cannot be trained as it was frozen is closed, and its runs go into new ones."""

from __future__ import annotations

from dataclasses import asdict, replace

from orchestrator.config import Budget, Model, RunConfig
from orchestrator.records.attempts import attempts, claim, end, results
from orchestrator.records.manifests import Member, new_manifest, write_manifest
from orchestrator.records.packs import Frozen, Pack, all_packs, closed, freeze, new_pack
from orchestrator.records.store import open_store
from orchestrator.settings import Execution, Settings
from orchestrator.tasks.recall import Recall
from tests.conftest import orchestrator


def frozen_with_a_compiler() -> Pack:
    """A sweep that was submitted where there is a compiler, and failed where there is none."""
    store = open_store()
    run = RunConfig(task=Recall(pairs=2, queries=2, keys=6, values=6), model=Model(width=16),
                    budget=Budget(steps=4, batch=8, evals=1, eval_sequences=8))  # fmt: skip
    runs = [replace(run, seed=s, seed_init=s, seed_data=s) for s in (0, 1)]
    pack = new_pack(runs, Frozen(compile=False, native=True, threads=1, width=2))
    freeze(store, pack, "small")
    settings = asdict(Settings(Execution(retries=0)))
    about = {"settings": settings, "overrides": [], "git_commit": None, "packages": {},
             "code_version": "x", "tracking": settings["tracking"], "submission": "1"}  # fmt: skip
    members = [Member(r.run_id, pack.pack_id, "raw", r.seed) for r in runs]
    manifest = new_manifest(store, "small", members, settings["sweep"]["law"], about)
    write_manifest(store, "small", manifest)
    attempt = claim(store, pack.pack_id, {"git_commit": None, "code_version": "x"})
    end(attempt, "failed", "RuntimeError: kernel train: no C++ compiler here")
    return pack


def test_retry_replan(store, tmp_path, monkeypatch):
    old = frozen_with_a_compiler()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    as_it_was = orchestrator("retry", "small")
    assert as_it_was.returncode == 1, as_it_was.stderr
    assert "2 of 2 runs are not done" in as_it_was.stderr
    again = orchestrator("retry", "small", "--replan")
    assert again.returncode == 0, again.stderr
    assert "1 packs are closed, 1 new ones take over" in again.stderr
    records = open_store()
    new = next(p for p in all_packs(records) if p.pack_id != old.pack_id)
    assert closed(records, old.pack_id) and not closed(records, new.pack_id)
    assert not new.frozen.native and new.generation == old.generation + 1
    assert set(results(attempts(records, new.pack_id))) == set(old.run_ids)
    done = orchestrator("collect", "small")
    assert done.returncode == 0 and done.stdout.startswith("2 of 2 runs"), done.stderr
