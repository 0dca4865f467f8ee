"""What was submitted last is said by a counter, whatever the clocks of the hosts say."""

from __future__ import annotations

import json
import threading
import time

from orchestrator.records.manifests import (
    Member,
    new_manifest,
    read_sweep,
    sweep_names,
    write_manifest,
)
from orchestrator.records.store import open_store


def write(store, sweep: str, pack: str, **about) -> None:
    members = [Member("r", pack, "raw", 0)]
    write_manifest(store, sweep, new_manifest(store, sweep, members, {}, about))


def test_a_later_manifest_wins_from_a_host_a_day_behind(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    write(store, "s", "first")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 86_400 * 10**9)
    monkeypatch.setattr(time, "time", lambda: now / 1e9 - 86_400)
    write(store, "s", "second")
    assert read_sweep(store, "s").members["r"].pack_id == "second"


def test_manifests_of_earlier_versions_come_before(tmp_path):
    store = open_store(tmp_path)
    (store.sweeps / "s").mkdir(parents=True)
    for stamp, pack in ((99, "older"), (10**18, "old")):
        data = {"runs": [["r", pack, "raw", 0]], "law": {}, "time": 0.0}
        (store.sweeps / "s" / f"{stamp:020d}-0a1b2c3d.json").write_text(json.dumps(data))
    assert read_sweep(store, "s").members["r"].pack_id == "old"
    write(store, "s", "new")
    assert read_sweep(store, "s").members["r"].pack_id == "new"


def test_sweeps_are_in_the_order_of_their_last_submissions(tmp_path):
    store = open_store(tmp_path)
    for sweep in ("a", "b", "c", "a"):
        write(store, sweep, "p")
    (store.sweeps / ".DS_Store").touch()
    (store.sweeps / "empty").mkdir()
    assert sweep_names(store) == ["b", "c", "a"]


def test_no_submission_of_many_at_once_is_lost(tmp_path):
    store = open_store(tmp_path)

    def submit(i: int) -> None:
        write_manifest(
            store, "s", new_manifest(store, "s", [Member(f"r{i}", "p", "raw", 0)], {}, {})
        )

    threads = [threading.Thread(target=submit, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(read_sweep(store, "s").members) == 16
