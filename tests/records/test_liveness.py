"""Who is at work, from what can be known without waiting: starts, boots, steps, a server's clock."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.records.attempts import attempts, claim
from orchestrator.records.liveness import alive, owner
from orchestrator.records.store import open_store, write_atomic
from tests.tracking.scripted import planned

ELSEWHERE = {"host": "n7", "boot_id": "other", "place": "elsewhere", "slurm": None}


@pytest.fixture
def heartbeat(tmp_path: Path) -> Path:
    path = tmp_path / "progress.json"
    write_atomic(path, b"{}\n")
    return path


def slurm(monkeypatch: pytest.MonkeyPatch, job: int, task: int, restart: int) -> None:
    values = {"JOB_ID": job + task, "ARRAY_JOB_ID": job, "ARRAY_TASK_ID": task,
              "RESTART_COUNT": restart, "JOB_NAME": "tiny-1"}  # fmt: skip
    for key, value in values.items():
        monkeypatch.setenv(f"SLURM_{key}", str(value))
    monkeypatch.setenv("PATH", "")  # a node without squeue and sacct


def test_a_requeued_task_takes_over_from_its_own_earlier_start(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    (pack,) = planned(store, "s", packs=1)
    slurm(monkeypatch, 7, 3, 0)
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    assert claim(store, pack.pack_id, {}) is not None
    monkeypatch.setenv("SLURMD_NODENAME", "n2")
    assert claim(store, pack.pack_id, {}) is None  # the same start elsewhere: its heartbeat is new
    slurm(monkeypatch, 7, 4, 1)
    assert claim(store, pack.pack_id, {}) is None  # another task of the array
    slurm(monkeypatch, 7, 3, 1)
    assert claim(store, pack.pack_id, {}).number == 2


def test_another_boot_of_this_machine_is_dead_and_another_machine_is_not(heartbeat):
    mine = {**owner(), "slurm": None}
    assert alive(mine, heartbeat)
    assert not alive({**mine, "boot_id": "the boot before"}, heartbeat)
    assert alive({**mine, **ELSEWHERE}, heartbeat)


def test_a_container_beside_this_one_is_dead_after_a_minute_of_silence(heartbeat):
    mine = {**owner(), "slurm": None, "place": "pid:[1]", "host": "another-container"}
    assert alive(mine, heartbeat)
    old = time.time() - 90
    os.utime(heartbeat, (old, old))
    assert not alive(mine, heartbeat)
    assert alive({**mine, **ELSEWHERE}, heartbeat)


def test_a_heartbeat_dated_tomorrow_is_counted_from_now_on(heartbeat):
    theirs = {**owner(), **ELSEWHERE}
    tomorrow = time.time() + 86400
    os.utime(heartbeat, (tomorrow, tomorrow))
    assert alive(theirs, heartbeat)  # it may have been written now, by a clock that is ahead
    assert heartbeat.stat().st_mtime < time.time() + 5
    old = heartbeat.stat().st_mtime - 400
    os.utime(heartbeat, (old, old))
    assert not alive(theirs, heartbeat)


@pytest.mark.parametrize("beats", [True, False])
def test_a_living_owner_whose_steps_stand_still_is_hung_and_taken_over(tmp_path, beats):
    store = open_store(tmp_path)
    (pack,) = planned(store, "s", packs=1)
    first = claim(store, pack.pack_id, {"stall_s": 60.0})
    assert first.living() and claim(store, pack.pack_id, {}) is None
    if beats:
        write_atomic(first.progress, b'{"step":3,"still_s":61.0}\n')
    else:  # stopped as a whole (SIGSTOP)
        old = time.time() - 61
        os.utime(first.progress, (old, old))
    assert first.condition() == "hung" and not first.living()
    assert claim(store, pack.pack_id, {}).number == 2


@contextmanager
def colleague(folder: Path):
    """Somebody else, who may read `folder` and not write it."""
    if os.geteuid():
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_colleague_who_may_only_read_gets_an_answer(capsys):
    folder = Path(tempfile.mkdtemp(prefix="shared-", dir="/tmp"))
    try:
        store = open_store(folder)
        (pack,) = planned(store, "s", packs=1)
        first = claim(store, pack.pack_id, {})
        folder.chmod(0o755)
        path = store.packs / pack.pack_id / "0001.claim"
        there = {k: v for k, v in json.loads(path.read_text()).items() if k != "crc32"}
        path.write_text(json.dumps({**there, "host": "n7", "boot_id": "other"}))
        with colleague(folder):
            (seen,) = attempts(store, pack.pack_id)
            assert seen.living()
        damaged = store.packs / pack.pack_id / "0001" / "end.json"
        damaged.write_text("{")
        with colleague(folder):
            assert attempts(store, pack.pack_id)[0].living()
        assert damaged.exists() and str(damaged) in capsys.readouterr().err
        old = time.time() - 400
        os.utime(first.progress, (old, old))
        with colleague(folder):
            assert not attempts(store, pack.pack_id)[0].living()
    finally:
        shutil.rmtree(folder)
