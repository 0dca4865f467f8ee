"""Durations, shares and Slurm's answers, without a cluster: stand-ins for its commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.durations import minutes
from orchestrator.errors import UserError
from orchestrator.launch.sbatch import max_array_size
from orchestrator.launch.slurm import balanced
from orchestrator.records import queue
from orchestrator.records.jobs import Holder, JobArray, abandoned, holders, passed, record
from orchestrator.records.liveness import alive, owner
from orchestrator.records.queue import Queued, Task
from orchestrator.records.store import Store


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a shell script in the place of a command."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")

    def put(name: str, body: str) -> None:
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        queue.forget()

    yield put
    queue.forget()


def row(name: str, job: int, task: str, state: str, restart: int, reason: str = "None") -> str:
    cells = (name, job, task, state, restart, "n1", "59:00", reason)
    widths = (128, 16, 16, 16, 8, 64, 20, 80)
    return "".join(f"{c!s:<{w}}" for c, w in zip(cells, widths, strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [(90, 90), ("90", 90), ("10:30", 11), ("1:30:00", 90), ("1-2", 1560), ("1-2:30", 1590),
     ("0-0:0:30", None), ("0-00:00:30", 1), ("0", None), ("-4", None), ("1h", None), ("", None)],
)  # fmt: skip
def test_time_limits_in_slurms_spellings(text, expected):
    if expected is None:
        with pytest.raises(UserError, match="cluster.time="):
            minutes(text, "cluster.time")
    else:
        assert minutes(text, "cluster.time") == expected


def test_shares_are_balanced_and_complete(monkeypatch):
    class Priced:
        def __init__(self, price: int) -> None:
            self.pack_id = f"pack{price:02d}"
            self.price = price

    monkeypatch.setattr("orchestrator.launch.slurm.flops", lambda p: p.price)
    packs = [Priced(p) for p in range(1, 21)]
    shares = balanced(packs, 4)
    assert sorted(i for share in shares for i in share) == [p.pack_id for p in packs]
    loads = [sum(int(i[4:]) for i in share) for share in shares]
    assert max(loads) - min(loads) <= 3
    assert balanced(packs[:3], 8) == [["pack03"], ["pack02"], ["pack01"]]
    assert balanced([], 8) == []


def test_array_size(command):
    command("scontrol", "echo 'MaxArraySize            = 5'")
    assert max_array_size() == 5
    command("scontrol", "exit 1")
    assert max_array_size() == 1


def test_who_holds_a_pack(command, tmp_path):
    store = Store(tmp_path)
    record(store, JobArray("tiny-1", "tiny", [["a", "b"], ["c"]], "logs", 1.0))
    answer = "\n".join(
        [row("tiny-1", 7, "0", "RUNNING", 1), row("tiny-1", 7, "1", "COMPLETING", 0),
         row("other", 8, "N/A", "PENDING", 0)]
    )  # fmt: skip
    command("squeue", f"cat <<'E'\n{answer}\nE")
    held = holders(store)
    assert set(held) == {"a", "b"}
    assert held["a"].task == Task("tiny-1", 7, 0)
    assert set(holders(store, ending=True)) == {"a", "b", "c"}
    command("squeue", "exit 1")
    assert holders(store) is None


def test_a_task_that_slurm_holds_back_for_good_holds_no_pack(command, tmp_path):
    store = Store(tmp_path)
    record(store, JobArray("tiny-1", "tiny", [["a"]], "logs", 1.0))
    answer = row("tiny-1", 7, "0", "PENDING", 1, "launch failed requeued held")
    command("squeue", f"cat <<'E'\n{answer}\nE")
    assert holders(store) == {}
    assert set(holders(store, ending=True)) == {"a"}
    assert abandoned(store) == [Task("tiny-1", 7, 0)]


def test_a_running_task_that_has_tried_a_pack_does_not_hold_it():
    class Tried:
        def __init__(self, restart: int) -> None:
            self.claim = {"slurm": {"name": "tiny-1", "job": 7, "task": 0, "restart": restart}}

    array = JobArray("tiny-1", "tiny", [["a"]], "logs", 1.0)
    running = Holder(array, Task("tiny-1", 7, 0), Queued("RUNNING", 1, "n1", "", ""))
    waiting = Holder(array, Task("tiny-1", 7, 0), Queued("PENDING", 1, "", "", "Priority"))
    assert passed(running, [Tried(1)])
    assert not passed(running, [Tried(0)])
    assert not passed(waiting, [Tried(1)])


def test_who_lives_by_slurms_word(command, tmp_path):
    heartbeat = tmp_path / "progress.json"
    heartbeat.touch()
    slurm = {"name": "tiny-1", "job": 7, "task": 0, "restart": 1, "node": "n1"}
    claim = {**owner(), "place": "elsewhere", "slurm": slurm}
    lives = {
        row("tiny-1", 7, "0", "RUNNING", 1): True,
        row("tiny-1", 7, "0", "RUNNING", 2): False,
        row("tiny-1", 7, "0", "PENDING", 1): False,
        row("tiny-1", 7, "0", "COMPLETING", 1): True,
    }
    for answer, expected in lives.items():
        command("squeue", f"cat <<'E'\n{answer}\nE")
        assert alive(claim, heartbeat) is expected
    command("squeue", "true")
    command("sacct", "echo '7_0|CANCELLED by 0|tiny-1'")
    assert not alive(claim, heartbeat)
    command("sacct", "echo '7_0|FAILED|a job that was given the number again'")
    assert alive(claim, heartbeat)  # gone from the queue, and its heartbeat is fresh
    command("sacct", "exit 1")
    assert alive(claim, heartbeat)
    command("squeue", "exit 1")
    assert alive(claim, heartbeat)
    heartbeat.unlink()
    assert not alive(claim, heartbeat)
