"""Claims are exclusive, torn lines are left out, and the lowest attempt's result counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.records.attempts import attempts, claim, end, results
from orchestrator.records.sealed import dumps
from orchestrator.records.store import (
    append_lines,
    open_store,
    read_lines,
    require_writable,
    write_new,
)  # fmt: skip


@pytest.fixture
def records(tmp_path: Path):
    records = open_store(tmp_path)
    (records.packs / "p").mkdir(parents=True)
    return records


def test_only_one_of_many_processes_gets_the_pack(records):
    code = (
        "import sys; from orchestrator.records.attempts import claim;"
        "from orchestrator.records.store import open_store; store = open_store(sys.argv[1]);"
        "print('ready', flush=True); sys.stdin.readline();"
        "print(claim(store, 'p', {}) is not None, flush=True); sys.stdin.readline()"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(records.root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(8)
    ]  # fmt: skip
    assert [p.stdout.readline() for p in others] == ["ready\n"] * 8
    for p in others:
        p.stdin.write("go\n")
        p.stdin.flush()
    got = [p.stdout.readline() for p in others]
    for p in others:
        p.communicate("done\n", timeout=60)
    assert sorted(got) == ["False\n"] * 7 + ["True\n"]
    assert [a.number for a in attempts(records, "p")] == [1]


def test_a_killed_owner_is_taken_over_and_a_living_one_is_not(records):
    code = (
        "import sys, time; from orchestrator.records.attempts import claim;"
        "from orchestrator.records.store import open_store;"
        "assert claim(open_store(sys.argv[1]), 'p', {}); print('mine', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(records.root)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "mine\n"
    assert claim(records, "p", {}) is None
    other.send_signal(signal.SIGKILL)
    other.wait()
    second = claim(records, "p", {})
    assert second is not None and second.number == 2
    assert not attempts(records, "p")[0].living()


def test_an_ended_attempt_frees_the_pack(records):
    first = claim(records, "p", {})
    assert claim(records, "p", {}) is None
    end(first, "stopped")
    assert claim(records, "p", {}).number == 2


def test_the_lowest_complete_result_counts(records):
    first = claim(records, "p", {})
    append_lines(first.results, [{"run_id": "a", "val_loss": 1.0}])
    end(first, "stopped")
    second = claim(records, "p", {})
    append_lines(second.results, [{"run_id": "a", "val_loss": 2.0}, {"run_id": "b"}])
    found = results(attempts(records, "p"))
    assert found["a"] == {"run_id": "a", "val_loss": 1.0, "attempt": 1}
    assert found["b"]["attempt"] == 2


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path):
    path = tmp_path / "rows.jsonl"
    append_lines(path, [{"x": 1}, {"x": float("nan")}])
    with open(path, "ab") as f:
        f.write(b'{"x": 3')
    assert read_lines(path) == [{"x": 1}, {"x": None}]


def test_exclusive_files_are_whole_or_absent(tmp_path):
    write_new(tmp_path / "f", dumps({"a": 1}))
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "f", b"other")
    assert (tmp_path / "f").read_bytes() == b'{"a":1}\n'
    assert os.listdir(tmp_path) == ["f"]


def test_a_store_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="can't be written"):
        require_writable(open_store(tmp_path / "file" / "store"))
