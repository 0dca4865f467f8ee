"""Jobs that ask for a GPU on four nodes with four pretended ones each."""

from __future__ import annotations

import pytest

from tests.cluster.sandbox import sandbox

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.xdist_group("slurm")]


def test_packs_land_one_a_gpu_and_each_job_sees_its_own(slurm, tmp_path):
    seen = tmp_path / "seen"
    note = tmp_path / "note.sh"
    note.write_text(f"echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES >> {seen}\n")
    box = sandbox(
        tmp_path / "s", slurm, "0,0.5", "0,1", pack=1, steps=20, chunk_s=0,
        options=("cluster.gres=gpu:1", "execution.device=cpu", "+cluster.sbatch.nodelist=n1"),
    )  # fmt: skip
    box.options[0] = box.options[0].replace("['", f"['. {note}','", 1)
    out = box.submit()
    assert out.returncode == 0, out.stderr
    assert "4 packs in 4 jobs" in out.stderr
    box.drain()
    assert box.status()["counts"] == {"completed": 4}
    assert sorted(seen.read_text().splitlines()) == ["n1 0", "n1 1", "n1 2", "n1 3"]


def test_a_job_without_its_gpu_fails_with_one_line(slurm, tmp_path):
    box = sandbox(tmp_path / "s", slurm, "0", "0", options=("execution.device=cuda",))
    assert box.submit().returncode == 0
    box.drain()
    (log,) = (tmp_path / "s/runs/logs").rglob("*_log.out")
    lines = [line for line in log.read_text().splitlines() if "no GPU for this job" in line]
    assert len(lines) == 1 and "cluster.gpus=1" in lines[0]
    assert "Traceback" not in log.read_text() and box.claims() == []
