"""A store that is full, or that the nodes do not see: clear words, and nothing lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cluster import lab
from tests.cluster.sandbox import assert_same, sandbox, undisturbed

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.xdist_group("slurm")]


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 2 MB where the sandbox will have its store."""
    store = tmp_path / "s/runs"
    store.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(store)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs is not allowed here")
    yield store
    subprocess.run(["umount", "-l", str(store)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes what is left of a disk."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            return path


def test_a_disk_that_fills_up(slurm, tmp_path, small_disk):
    box = sandbox(tmp_path / "s", slurm, "0,0.5", "0,1")
    filler = fill(small_disk)
    out = box.submit()
    assert out.returncode == 2, out.stderr
    assert "No space left on device" in out.stderr.splitlines()[-1]
    filler.unlink()
    assert box.submit().returncode == 0
    box.begun(2)
    filler = fill(small_disk)
    box.drain()
    assert box.status()["counts"].get("completed", 0) < 4
    filler.unlink()
    box.finish()
    assert_same(box.table(), undisturbed(box, tmp_path / "local"))


def test_a_store_that_the_node_does_not_see(slurm, tmp_path):
    lab.all_idle(slurm)
    logs = tmp_path / "logs"
    box = sandbox(
        tmp_path / "s", slurm, "0", "0", chunk_s=0, options=("+cluster.sbatch.nodelist=n1",)
    )
    store = tmp_path / "s/runs"
    store.mkdir()
    hidden = f"mount -t tmpfs none {store} && exec slurmd -N n1"
    lab.kill_daemon(slurm, "slurmd.n1")
    lab.start_daemon(slurm, "unshare", "-m", "--propagation", "private", "bash", "-c", hidden)
    try:
        lab.until(lambda: "idle" in lab.ask(slurm, "sinfo", "-h", "-n", "n1", "-o", "%T"), 60, "n1")
        assert box.submit(f"cluster.logs={logs}").returncode == 0
        box.drain()
        why = "its job ended FAILED before it came to it"  # once the accounting has heard of it
        lab.until(lambda: box.status()["dead"][0]["why"] == why, 60, why)
        state = box.status()
        assert state["counts"] == {"waiting": 1}
        said = Path(state["dead"][0]["log"]).read_text()
        assert f"store {store} is not there on node n1" in said
    finally:
        lab.kill_daemon(slurm, "slurmd.n1")
        lab.start_daemon(slurm, "slurmd", "-N", "n1")
    lab.until(lambda: "idle" in lab.ask(slurm, "sinfo", "-h", "-n", "n1", "-o", "%T"), 60, "n1")
    box.finish()
    assert box.status()["counts"] == {"completed": 1}
