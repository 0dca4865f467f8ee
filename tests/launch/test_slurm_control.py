"""retry trains what failed, as submitted last; logs shows what a run's job wrote; here, no Slurm."""

from __future__ import annotations

import json
import os

import pytest

from tests.cluster.sandbox import FAULTY, Sandbox, sandbox

pytestmark = pytest.mark.slow


def box_with_a_fault(tmp_path) -> Sandbox:
    environment = {**os.environ, "PYTHONPATH": str(FAULTY)}
    environment.pop("SLURM_JOB_ID", None)
    box = sandbox(tmp_path / "s", environment, "0", "0,1", steps=96, chunk_s=0)
    box.faults("exception-0")
    return box


def test_retry_and_logs(tmp_path):
    box = box_with_a_fault(tmp_path)
    assert box.run("submit", "tiny", "execution.retries=0").returncode == 1
    (failed,) = json.loads(box.run("status", "tiny", "--json").stdout)
    assert failed["counts"] == {"failed": 2}
    assert failed["errors"][0]["error"] == "RuntimeError: a fault of the test's"
    run = json.loads(next((tmp_path / "s/runs/sweeps/tiny").iterdir()).read_text())["runs"][0][0]
    shown = box.run("logs", run)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0] == failed["errors"][0]["log"]
    assert "a fault of the test's" in shown.stdout
    again = box.run("retry", "tiny")
    assert again.returncode == 0, again.stderr
    assert "2 failed runs in 1 packs" in again.stderr
    assert box.status()["counts"] == {"completed": 2}
    assert "nothing failed" in box.run("retry", "tiny").stdout


def test_what_there_is_not(tmp_path):
    box = sandbox(tmp_path / "s", dict(os.environ), "0", "0")
    for words in (("cancel", "tiny"), ("retry", "tiny"), ("logs", "abc")):
        out = box.run(*words)
        assert out.returncode == 2
        assert len(out.stderr.strip().splitlines()) == 1
