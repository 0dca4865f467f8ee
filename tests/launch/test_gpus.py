"""A machine's GPUs are found without torch, and each worker gets one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.cluster import Cluster
from orchestrator.errors import UserError
from orchestrator.launch.gpus import counted, gpus
from orchestrator.launch.local import Local, _start
from orchestrator.launch.slurm import script
from orchestrator.records.store import Store
from orchestrator.settings import Execution, Settings

TWO = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5a1b2c3d-0000-1111-2222-333344445555)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-6a1b2c3d-0000-1111-2222-333344445555)
"""
CUT = """GPU 0: NVIDIA A100 (UUID: GPU-5a1b2c3d-0000-1111-2222-333344445555)
  MIG 3g.20gb     Device  0: (UUID: MIG-aaaa1111-0000-1111-2222-333344445555)
  MIG 3g.20gb     Device  1: (UUID: MIG-bbbb1111-0000-1111-2222-333344445555)
GPU 1: NVIDIA A100 (UUID: GPU-6a1b2c3d-0000-1111-2222-333344445555)
"""
MIG = [f"MIG-{x}1111-0000-1111-2222-333344445555" for x in ("aaaa", "bbbb")]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose nvidia-smi says what it is given."""

    def make(text: str, code: int = 0) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\ncat <<'X'\n{text}X\nexit {code}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return make


@pytest.mark.parametrize(("text", "names"), [(TWO, ["0", "1"]), (CUT, [*MIG, "1"]), ("", [])])
def test_all_gpus_of_a_machine_are_found(machine, text: str, names: list[str]):
    machine(text)
    assert gpus() == names
    settings = Settings(execution=Execution(packs_per_gpu=3))
    assert Local(settings).has_gpu() == bool(names)
    if names:
        assert Local(settings).processes() == 3 * len(names)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("2", ["2"]), ("0, 3", ["0", "3"]), ("", []), ("-1", []), ("NoDevFiles", []),
        ("GPU-5a1b2c3d", ["GPU-5a1b2c3d"]), (",".join(MIG), MIG),
        ("MIG-GPU-5a1b2c3d/1/0", ["MIG-GPU-5a1b2c3d/1/0"]),
    ],
)  # fmt: skip
def test_those_given_are_understood(given: str, names: list[str]):
    assert gpus({"CUDA_VISIBLE_DEVICES": given}) == names


@pytest.mark.parametrize("given", ["gpu0", "0,", "0,all", "0,0", "-2"])
def test_a_bad_name_is_one_line(given: str):
    with pytest.raises(UserError, match=r"^CUDA_VISIBLE_DEVICES=[^\n]+$"):
        gpus({"CUDA_VISIBLE_DEVICES": given})


@pytest.mark.parametrize("folder", ["proc/driver/nvidia/gpus/0000:0{}:00.0", "dev/nvidia{}"])
def test_without_nvidia_smi_the_driver_is_asked(tmp_path, folder: str):
    assert counted(tmp_path) == []
    for i in range(3):
        (tmp_path / folder.format(i)).mkdir(parents=True)
    if folder.startswith("dev"):
        (tmp_path / "dev/nvidiactl").touch()
    assert counted(tmp_path) == ["0", "1", "2"]


def test_each_worker_sees_its_own_gpu(machine, tmp_path):
    machine(CUT)
    seen, words = [], [sys.executable, "-c", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"]
    for i in range(4):
        log = Path(tmp_path / f"{i}.log")
        assert _start(words, log, 1, i, "auto").wait(20) == 0
        seen.append(log.read_text().strip())
    assert seen == [*MIG, "1", MIG[0]]


@pytest.mark.parametrize(
    ("cluster", "device"),
    [({"gpus": 1}, "cuda"), ({"gres": "gpu:a100:1"}, "cuda"), ({}, "auto")],
)
def test_a_slurm_job_that_asked_for_a_gpu_trains_on_nothing_else(tmp_path, cluster, device):
    settings = Settings(cluster=Cluster(name="slurm", **cluster))
    text = script(Store(tmp_path), "s", settings, [["p"]], tmp_path, "name", 1)
    assert f'"device": "{device}"' in text


def test_packs_a_gpu_are_one_or_more():
    with pytest.raises(UserError, match="execution.packs_per_gpu=0: must be above 0"):
        Execution(packs_per_gpu=0)
