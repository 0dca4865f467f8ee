"""`orchestrator bench` as a job: it measures the node that it gets, and `plan` goes by it there."""

from __future__ import annotations

import json

import pytest

from tests.cluster.sandbox import sandbox

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.xdist_group("slurm")]

SHAPE = [
    "model.width=8",
    "model.depth=1",
    "budget.steps=10",
    "budget.batch=4",
    "budget.eval_sequences=64",
]
NODE = ["cluster=slurm", "cluster.cpus=1", "+cluster.sbatch.nodelist=n2"]


def test_it_measures_the_node_that_will_train(slurm, tmp_path):
    box = sandbox(tmp_path / "s", slurm, "0", "0")
    before = box.run("plan", "tiny", *NODE)
    assert before.returncode == 0, before.stderr
    assert (
        "nothing measured on such nodes: run `orchestrator bench` with the same `cluster`"
        in before.stdout
    )
    done = box.run("bench", *NODE, *SHAPE)
    assert done.returncode == 0, done.stderr
    assert "measures its node" in done.stdout and "Traceback" not in done.stderr
    box.drain()
    (log,) = (tmp_path / "s/runs/logs/bench").glob("*.out")
    assert "kept in" in log.read_text(), log.read_text()
    (path,) = (tmp_path / "s/runs/bench").glob("*.jsonl")
    (found,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert found["place"] == {"nodelist": "n2"} and found["shape"]["model"]["width"] == 8
    assert "(measured on such nodes)" in box.run("plan", "tiny", *NODE).stdout
    elsewhere = box.run("plan", "tiny", *NODE[:2], "+cluster.sbatch.nodelist=n3")
    assert "nothing measured on such nodes" in elsewhere.stdout


def test_what_slurm_refuses_is_one_line(slurm, tmp_path):
    box = sandbox(tmp_path / "s", slurm, "0", "0")
    done = box.run("bench", "cluster=slurm", "cluster.partition=nowhere", *SHAPE)
    assert done.returncode == 2 and done.stderr.startswith(
        "orchestrator: cluster.partition=nowhere"
    )
    assert done.stderr.count("\n") == 1 and not (tmp_path / "s/runs/logs/bench").exists()


def test_a_gpu_that_is_not_there_is_one_line_of_its_log(slurm, tmp_path):
    box = sandbox(tmp_path / "s", slurm, "0", "0")
    done = box.run("bench", "cluster=slurm", "cluster.gres=gpu:1", *SHAPE)
    assert done.returncode == 0, done.stderr
    box.drain()
    (log,) = (tmp_path / "s/runs/logs/bench").glob("*.out")
    assert "sees no GPU" in log.read_text() and "Traceback" not in log.read_text()
    assert not (tmp_path / "s/runs/bench").exists()
