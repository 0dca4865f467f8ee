"""Jobs as Slurm gets them, by stand-ins for its commands: text, and nothing of our own environment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cluster import Cluster
from orchestrator.config import Budget, Model, RunConfig
from orchestrator.errors import UserError
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.plan import make_plan
from orchestrator.launch.policy import failures, note, out_of_memory
from orchestrator.launch.show import plan_lines
from orchestrator.launch.slurm import Slurm
from orchestrator.launch.stop import cancel_mark
from orchestrator.launch.submit import submit
from orchestrator.records.attempts import claim, end
from orchestrator.records.jobs import holders, job_arrays
from orchestrator.records.packs import Frozen, freeze, new_pack
from orchestrator.records.queue import forget
from orchestrator.records.sealed import seal
from orchestrator.records.store import Store, write_atomic
from orchestrator.settings import Execution, Settings
from orchestrator.tasks.recall import Recall

LEAKS = {
    "SQUEUE_STATES": "RUNNING", "SQUEUE_PARTITION": "none", "SQUEUE_USERS": "nobody",
    "SLURM_JOB_ID": "5", "SLURM_MEM_PER_NODE": "1", "SLURM_NTASKS": "9", "SBATCH_QOS": "none",
}  # fmt: skip
ROW = r"""
name=$(echo "$@" | sed 's/.*--name=\([^ ]*\).*/\1/')
[ -f queued ] && printf '%-128s%-16s%-16s%-16s%-8s%-64s%-20s%-80s\n' "$name" 7 0 PENDING 0 '' '' None
exit 0
"""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Puts shell scripts in the place of Slurm's commands; they write their environment to env."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)

    def put(name: str, body: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\nenv >> env\n{body}\n")
        (folder / name).chmod(0o755)
        forget()

    put("scontrol", "echo 'MaxArraySize            = 5'")
    put("squeue", ROW)
    put("sbatch", "cat > script; cat script >> asked; touch queued; echo 7")
    yield put
    forget()


def world(root: Path, **cluster) -> tuple[Store, Slurm, list]:
    """A store with one pack, and a launcher."""
    store = Store(root)
    run = RunConfig(task=Recall(pairs=2, queries=2, keys=6, values=6), model=Model(width=16),
                    budget=Budget(steps=4, batch=8, evals=1, eval_sequences=8))  # fmt: skip
    pack = new_pack(
        [run, replace(run, seed=1, seed_init=1, seed_data=1)], Frozen(False, False, 1, 2)
    )
    freeze(store, pack)
    (store.sweeps / "tiny").mkdir(parents=True)
    settings = Settings(Execution(), Cluster(name="slurm", **cluster))
    return store, Slurm(settings), [pack]


def test_jobs_are_text_and_nothing_of_an_allocation_leaks(commands, tmp_path):
    store, place, packs = world(tmp_path / "of %a and 'quotes'")
    assert place.launch(store, "tiny", packs) == 0
    assert not list(tmp_path.rglob("*.pkl"))
    text = Path("script").read_text()
    assert text.startswith("#!/bin/bash\n") and packs[0].pack_id in text
    (output,) = [s for s in text.splitlines() if s.startswith("#SBATCH --output=")]
    assert "of %%a and " in output and output.endswith("/%A_%a_0_log.out'")
    seen = Path("env").read_text()
    assert not [name for name in LEAKS if f"\n{name}=" in seen]
    assert set(holders(store)) == {packs[0].pack_id}
    assert os.environ["SQUEUE_STATES"] == "RUNNING"


def test_sbatch_that_fails_after_queueing_has_queued(commands, tmp_path, capsys):
    commands("sbatch", "touch queued; echo 'sbatch: error: Socket timed out' >&2; exit 1")
    store, place, packs = world(tmp_path / "s")
    assert place.launch(store, "tiny", packs) == 0
    assert "queued all the same" in capsys.readouterr().err
    commands("sbatch", "echo 'sbatch: error: Socket timed out' >&2; exit 1")
    Path("queued").unlink()
    with pytest.raises(
        UserError, match="cluster=slurm: sbatch says: Socket timed out; nothing was"
    ):
        place.launch(store, "tiny", packs)


@pytest.mark.parametrize("how", ["exit 1", "exec sleep 30"], ids=["refuses", "hangs"])
def test_a_silent_squeue_is_said(commands, tmp_path, capsys, monkeypatch, how):
    monkeypatch.setattr("orchestrator.records.queue.ANSWER_S", 0.5)
    store, place, packs = world(tmp_path / "s")
    place.launch(store, "tiny", packs)
    commands("squeue", how)
    found = [Experiment(run, place.settings) for run in packs[0].runs]
    plan_lines(make_plan(store, "tiny", found), store)
    assert "squeue does not answer" in capsys.readouterr().err
    commands("squeue", ROW)
    plan_lines(make_plan(store, "tiny", found), store)
    said = capsys.readouterr().err
    assert "2 queued" in said and "squeue does not answer" not in said


def test_cancel_reaches_an_sbatch_in_flight(commands, tmp_path):
    store, place, packs = world(tmp_path / "s")
    commands("scancel", 'echo "$@" > cancelled')
    commands("sbatch", f"touch queued; echo '{{}}' >> {store.sweeps}/tiny/cancelled.jsonl; echo 7")
    with pytest.raises(UserError, match="cancelled meanwhile"):
        place.launch(store, "tiny", packs)
    assert "--name=tiny-" in Path("cancelled").read_text()
    cancel_mark(store, "tiny")  # an old one does not count
    commands("sbatch", "touch queued; echo 7")
    assert place.launch(store, "tiny", packs) == 0


def test_a_task_that_hangs_holds_no_other_pack_and_is_ended_by_the_next_submit(
    commands, tmp_path, monkeypatch
):
    store, place, packs = world(tmp_path / "s", max_jobs=1)
    others = [replace(r, seed_init=9 + i, seed_data=9) for i, r in enumerate(packs[0].runs)]
    other = new_pack(others, Frozen(False, False, 1, 2))
    freeze(store, other)
    place.launch(store, "tiny", [*packs, other])
    commands("squeue", ROW.replace("PENDING", "RUNNING"))
    commands("scancel", 'echo "$@" >> cancelled; rm queued')
    (name,) = (a.name for a in job_arrays(store))
    monkeypatch.setattr(
        "orchestrator.records.liveness._slurm",
        lambda: {"name": name, "job": 7, "task": 0, "restart": 0, "node": "n1"},
    )
    attempt = claim(store, packs[0].pack_id, {"stall_s": 60.0, "code_version": "x"})
    for module in ("records.liveness", "launch.stop"):
        monkeypatch.setattr(f"orchestrator.{module}.boot_id", lambda: "of the login node")
    monkeypatch.setattr("socket.gethostname", lambda: "login")
    found = [Experiment(r, place.settings) for r in (*packs[0].runs, *other.runs)]
    assert make_plan(store, "tiny", found).counts == {"running": 2, "queued": 2}
    write_atomic(attempt.progress, seal({"step": 3, "still_s": 61.0}))
    plan = make_plan(store, "tiny", found)
    assert plan.counts == {"hung": 2, "waiting": 2}
    submit(store, plan, [])
    assert Path("cancelled").read_text().split() == [f"--name={name}", "7_0"]
    assert attempt.end() == {"status": "killed", "error": "it did no step for 61 s"}
    (row,) = failures(store, packs[0].pack_id)
    assert row["cause"] == "hang"
    last = [s for s in Path("script").read_text().splitlines() if 'packs="' in s]
    assert {p.pack_id in last[0] for p in (*packs, other)} == {True}


def test_out_of_memory_is_tried_with_twice_as_much(commands, tmp_path):
    store, place, packs = world(tmp_path / "s", memory=2)
    place.launch(store, "tiny", packs)
    about = {"git_commit": None, "code_version": "x", "packages": {}, "log": None}
    for _ in range(2):
        attempt = claim(store, packs[0].pack_id, about)
        end(attempt, "failed", "OutOfMemoryError: too large")
        assert note(store, packs[0].pack_id, attempt)[0] == "memory"
        note(store, packs[0].pack_id, attempt)  # once on record
    assert out_of_memory(store, packs[0].pack_id) == 2
    place.launch(store, "tiny", packs)
    asked = [w for w in Path("asked").read_text().split() if w.startswith("--mem=")]
    assert asked == ["--mem=2048M", "--mem=8192M"]
