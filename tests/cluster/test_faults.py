"""Whatever befalls the jobs, one more submission leaves every run once, as if nothing had been.

The faults are those of docs/notebook.md's table, several at a time, each on its own task.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster import lab
from tests.cluster.sandbox import Sandbox, assert_same, sandbox, undisturbed

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.xdist_group("slurm")]


@pytest.fixture(scope="module")
def reference(cluster, tmp_path_factory):
    """The undisturbed table of the sweep that all these tests train."""
    like = sandbox(tmp_path_factory.mktemp("like") / "s", cluster, "0,0.5,1.0", "0,1,2,3")
    return undisturbed(like, tmp_path_factory.mktemp("reference") / "s")


def new(folder: Path, slurm: dict[str, str], gammas: str, *options: str, chunk_s=1.0) -> Sandbox:
    """The reference's sweep, or the two packs of each of some gammas, in a store of its own."""
    return sandbox(folder / "s", slurm, gammas, "0,1,2,3", chunk_s=chunk_s, options=options)


def whole(box: Sandbox, reference: pd.DataFrame, runs: int) -> None:
    """Every run stands once, with the reference's numbers."""
    table = box.table()
    assert len(table) == runs
    assert_same(table, reference.loc[table.index])


def submitted(box: Sandbox, *options: str) -> str:
    """Submit; the number of the array."""
    out = box.submit(*options)
    assert out.returncode == 0, out.stderr
    return out.stderr.split("of array ")[1].split()[0]


def test_faults_of_single_jobs(slurm, tmp_path, reference):
    box = new(tmp_path, slurm, "0,0.5,1.0", "cluster.memory=2", "cluster.parallelism=5")
    box.faults("exception-0", "sigkill-1", "memory-2")
    job = submitted(box)
    lab.ask(slurm, "scancel", f"{job}_5")  # it waits for the sixth place
    lab.until(lambda: box.steps().get(3, 0) > 0, 180, "task 3 to train")
    lab.ask(slurm, "scancel", f"{job}_3")
    # Near its end: it may finish in the kill's window, and Slurm runs it again.
    lab.until(lambda: box.steps().get(4, 320) >= 256, 180, "task 4 near its end")
    lab.ask(slurm, "scontrol", "requeue", f"{job}_4")
    box.drain()
    state = box.status()
    assert state["counts"]["failed"] == 2
    assert "a fault of the test's" in state["errors"][0]["error"]
    assert Path(state["errors"][0]["log"]).is_file()
    assert {d["why"].split("ended ")[-1].split()[0] for d in state["dead"]} >= {"CANCELLED"}
    box.finish()
    whole(box, reference, 12)


def test_time_limit_and_preemption(slurm, tmp_path, reference):
    """All on one cluster at once: USR2 of a limit, preemption without and with grace."""
    # A minute for the start, which a busy machine needs, and then less than training takes.
    limited = ("cluster.time=2", "cluster.signal_s=45")
    limit = new(tmp_path / "limit", slurm, "0", *limited, chunk_s=8.0)
    low = new(tmp_path / "low", slurm, "0", "cluster.partition=low")
    grace = new(tmp_path / "grace", slurm, "0.5", "cluster.partition=lowg")
    submitted(low)
    submitted(grace)
    low.begun(2)
    grace.begun(2)
    # All CPUs of all nodes for a moment, for the partition that goes first.
    lab.ask(slurm, "sbatch", "-p", "high", "-N4", "-n4", "--exclusive", "-t1", "-o", "/dev/null",
            "--wrap=sleep 5")  # fmt: skip
    lab.until(lambda: any("PENDING" in q for q in lab.queue(slurm)), 60, "a preempted job")
    submitted(limit)
    for box in (low, grace, limit):
        box.finish()
        whole(box, reference, 4)
        # Slurm or the job itself brought them back, not the last submission.
        assert max(c["slurm"]["restart"] for c in box.claims()) >= 1


def test_a_node_dies_and_another_is_set_down(slurm, tmp_path, reference):
    box = new(tmp_path, slurm, "0,0.5", "cluster.cpus=16")
    submitted(box)
    box.begun(4)
    lab.kill_node(slurm, "n1")
    lab.ask(slurm, "scontrol", "update", "nodename=n2", "state=down", "reason=test")
    time.sleep(15)
    lab.start_daemon(slurm, "slurmd", "-N", "n1")
    lab.tell(slurm, "scontrol", "update", "nodename=n2", "state=resume")  # or it is back already
    box.finish()
    whole(box, reference, 8)


def test_lengths_share_their_beginning_and_a_node_dies(slurm, tmp_path):
    """Killed in what they share, and in what leaves it; a longer length is asked for afterwards."""
    params = """budget.steps: "80,160,320"
optim.schedule: constant_decay
optim.decay_steps: 60
budget.eval_steps: "[20,40,80,200,400]"
execution.keep_trunk: true"""
    box = sandbox(
        tmp_path / "s", slurm, "0,0.5", "0,1", pack=6, chunk_s=1.5, params=params,
        options=("cluster.cpus=16",),
    )  # fmt: skip
    submitted(box)
    box.begun(2)
    lab.kill_node(slurm, "n1")
    time.sleep(5)
    lab.start_daemon(slurm, "slurmd", "-N", "n1")
    lab.until(
        lambda: len(list(box.folder.glob("runs/packs/*/results-*.json"))) >= 2, 120, "a length"
    )
    lab.kill_node(slurm, "n2")
    time.sleep(5)
    lab.start_daemon(slurm, "slurmd", "-N", "n2")
    box.finish()
    path = box.folder / "sweeps/tiny.yaml"
    path.write_text(path.read_text().replace("80,160,320", "80,160,320,640"))
    asked = box.run("plan", "tiny", "cluster=slurm", *box.options, "--json")
    steps = json.loads(asked.stdout)["steps"]
    assert steps == {"alone": 4 * 640, "to_train": 4 * (640 - 260)}, asked.stderr
    box.finish(2)
    assert_same(box.table(), undisturbed(box, tmp_path / "reference"))
    assert len(box.table()) == 16


def test_the_controller_dies_early_and_late(slurm, tmp_path, reference):
    late = new(tmp_path / "late", slurm, "0")
    submitted(late)
    late.begun(2)
    early = new(tmp_path / "early", slurm, "0.5")
    submitted(early)
    time.sleep(2)
    lab.kill_daemon(slurm, "slurmctld")
    down = new(tmp_path / "down", slurm, "0")
    refused = down.submit()
    assert refused.returncode == 2, refused.stderr
    assert "nothing was queued" in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "down/s/runs").exists()
    lab.revive(slurm, "slurmctld")
    lab.until(lambda: lab.ask(slurm, "sinfo", "-h", "-t", "down", "-o", "%D") == "", 60, "nodes")
    lab.kill_daemon(slurm, "slurmdbd")  # from here on sacct is missing
    try:
        for box in (late, early):
            box.finish()
            whole(box, reference, 4)
    finally:
        lab.revive(slurm, "slurmdbd")
        lab.all_idle(slurm)
