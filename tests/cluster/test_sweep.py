"""A sweep on four nodes: submitting returns, nothing is queued twice, the table is this machine's."""

from __future__ import annotations

import time

import pytest

from tests.cluster import lab
from tests.cluster.sandbox import assert_same, sandbox, undisturbed

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.xdist_group("slurm")]


def test_forty_runs_on_four_nodes_equal_this_machine(slurm, tmp_path):
    box = sandbox(
        tmp_path / "s", slurm, "0,0.25,0.5,1.0,2.0", "0,1,2,3,4,5,6,7", pack=5, steps=20,
        chunk_s=0, options=("cluster.max_jobs=4", "cluster.cpus=16", "cluster.partition=[main,high]"),
    )  # fmt: skip
    lab.all_idle(slurm)
    begun = time.monotonic()
    out = box.submit()
    took = time.monotonic() - begun
    assert out.returncode == 0, out.stderr
    assert took < 10
    assert "40 runs" in out.stderr
    assert "8 packs in 4 jobs" in out.stderr
    again = box.submit()
    assert again.returncode == 0
    assert "nothing to train" in again.stderr
    box.drain()
    assert {c["slurm"]["node"] for c in box.claims()} == {"n1", "n2", "n3", "n4"}
    assert box.status()["counts"] == {"completed": 40}
    assert_same(box.table(), undisturbed(box, tmp_path / "local"))


def test_cancel_takes_the_jobs_out_and_submitting_goes_on(slurm, tmp_path):
    box = sandbox(tmp_path / "s", slurm, "0,0.5", "0,1")
    assert box.submit("cluster.parallelism=1").returncode == 0
    box.begun(1)
    state = box.status()
    assert state["counts"] == {"running": 2, "queued": 2}
    assert state["queued"] == [{"reason": "JobArrayTaskLimit", "runs": 2}]
    assert box.run("cancel", "tiny").returncode == 0
    box.drain()
    assert "queued" not in box.status()["counts"]
    again = box.submit("cluster.wait=true", seconds=300)
    assert again.returncode == 0, again.stderr
    assert box.status()["counts"] == {"completed": 4}


def test_what_slurm_would_refuse_is_one_line_and_writes_nothing(slurm, tmp_path):
    box = sandbox(tmp_path / "s", slurm, "0", "0")
    bad = {
        "cluster.partition=nope": "cluster.partition=nope: sbatch says: invalid partition",
        "cluster.time=soon": "cluster.time=soon: must be minutes",
        "cluster.gpus=3": "cluster.gpus=3: must be 0 or 1",
        "cluster.constraint=nope": "sbatch says",
    }
    for option, message in bad.items():
        out = box.submit(option)
        assert out.returncode == 2, out.stderr
        assert message in out.stderr.splitlines()[-1]
    assert not (tmp_path / "s/runs").exists()


def test_without_sbatch_it_says_so(tmp_path):
    box = sandbox(tmp_path / "s", {"PATH": str(tmp_path), "HOME": str(tmp_path)}, "0", "0")
    out = box.submit()
    assert out.returncode == 2
    assert "no sbatch on the PATH" in out.stderr.splitlines()[-1]
    assert not (tmp_path / "s/runs").exists()
