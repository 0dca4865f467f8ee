"""A result is committed once: what comes second is evidence, and a collected table never changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.records import attempts as records
from orchestrator.records.attempts import attempts, results
from orchestrator.records.packs import all_packs
from orchestrator.records.store import open_store
from tests.conftest import orchestrator
from tests.tracking.scripted import planned, result, train


def test_the_first_to_complete_a_slice_commits_it_and_the_second_is_evidence(tmp_path):
    from orchestrator.records.attempts import claim, end
    from orchestrator.records.commits import commit

    store = open_store(tmp_path)
    (pack,) = planned(store, "s", packs=1)
    first = claim(store, pack.pack_id, {})
    end(first, "stopped")  # and yet it goes on
    second = claim(store, pack.pack_id, {})
    assert first.superseded() and not second.superseded()
    rows = [result(pack, i) for i in range(3)]
    assert commit(second, 0, rows, [])
    before = results(attempts(store, pack.pack_id))
    assert not commit(first, 0, [{**row, "val_loss": -1.0} for row in rows], [])
    assert results(attempts(store, pack.pack_id)) == before
    assert {row["attempt"] for row in before.values()} == {2}
    assert '"val_loss":-1.0' in first.late.read_text()


@pytest.mark.parametrize("late", [False, True])
def test_a_pack_that_is_finished_while_another_worker_claims_it_is_claimed_once(
    tmp_path, monkeypatch, late
):
    store = open_store(tmp_path)
    (pack,) = planned(store, "s", packs=1)
    look = records.attempts

    def meanwhile(*words):
        monkeypatch.undo()
        found = look(*words)
        train(store, pack, None, 0.0)
        return found if late else look(*words)

    monkeypatch.setattr(records, "attempts", meanwhile)
    assert records.claim(store, pack.pack_id, {}, pack.run_ids) is None
    assert len(attempts(store, pack.pack_id)) == 1


def test_stores_of_earlier_versions_stay_readable(tmp_path):
    store = open_store(tmp_path)
    (pack,) = planned(store, "s", packs=1)
    folder = store.packs / pack.pack_id
    for number, slots in ((1, range(3)), (2, range(6))):
        (folder / f"{number:04d}").mkdir()
        claim = {"host": "h", "pid": 1, "boot_id": "b", "process_start": "1", "time": 0.0,
                 "git_commit": None, "code_version": "old"}  # fmt: skip
        (folder / f"{number:04d}.claim").write_text(json.dumps(claim) + "\n")
        rows = [{**result(pack, i), "wall_s": float(number)} for i in slots]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{number:04d}" / "results.jsonl").write_text(text)
    found = results(attempts(store, pack.pack_id))
    assert [found[r]["attempt"] for r in pack.run_ids] == [1, 1, 1, 2, 2, 2]
    train(store, pack, None, 0.0)  # everything is done: it commits nothing
    assert results(attempts(store, pack.pack_id)) == found


def table(results_folder: str) -> pd.DataFrame:
    done = orchestrator("collect", "small", "--results", results_folder)
    assert done.returncode == 0, done.stderr
    frame = pd.read_parquet(Path(results_folder) / "small" / "table.parquet")
    return frame.sort_values("run_id").reset_index(drop=True)


@pytest.mark.slow
def test_a_stopped_owner_that_goes_on_later_changes_no_collected_table(sweep_file, tiny):
    """slurmd is killed, the worker stopped, its pack trained elsewhere; then it goes on."""
    short = [word for word in tiny if not word.startswith("budget.steps")]
    words = [*short, "model.depth=1", "budget.steps=2000", "execution.checkpoint_s=0.1"]
    begun = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "submit", "small", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    store = open_store()
    deadline = time.monotonic() + 120
    while not list(store.packs.glob("*/*/checkpoint.pt")):
        assert time.monotonic() < deadline and begun.poll() is None
        time.sleep(0.01)
    (pack,) = all_packs(store)
    (first,) = attempts(store, pack.pack_id)
    os.kill(first.claim["pid"], signal.SIGSTOP)
    os.kill(begun.pid, signal.SIGSTOP)
    assert not results([first])
    path = store.packs / pack.pack_id / "0001.claim"
    claim = {k: v for k, v in json.loads(path.read_text()).items() if k != "crc32"}
    path.write_text(json.dumps({**claim, "host": "n1", "boot_id": "elsewhere"}))
    os.utime(first.progress, (0, 0))  # as a node looks that nobody hears of any more
    assert orchestrator("submit", "small", *words).returncode == 0
    before = table("before")
    assert set(before["attempt"]) == {2}
    os.kill(first.claim["pid"], signal.SIGCONT)
    deadline = time.monotonic() + 120
    while not (first.folder / "end.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(begun.pid, signal.SIGKILL)
    pd.testing.assert_frame_equal(table("after"), before)
