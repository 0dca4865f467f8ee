"""Runs a call on a GPU: what memory takes and launches want, by what is known of the GPU, in the plan."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cluster import Cluster
from orchestrator.config import Budget, Model, RunConfig
from orchestrator.data_sheets import DEVICES
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.gpus import memories
from orchestrator.launch.packs import make_packs, most_runs, widest_slice
from orchestrator.launch.width import (
    BUSY,
    CPU,
    SHARE,
    UNKNOWN_BYTES,
    Gpu,
    expected,
    memory_bytes,
    on_gpu,
)
from orchestrator.settings import Execution, Settings
from orchestrator.tasks.recall import Recall
from tests.launch.test_gpus import CUT, TWO, machine  # noqa: F401  (a fixture)

H100 = Gpu(DEVICES["h100"].memory_bytes, DEVICES["h100"].bytes_per_s)


def a_run(pairs=4, batch=64, **model) -> RunConfig:
    return RunConfig(
        Recall(pairs, pairs, max(16, pairs)), Model(**model), budget=Budget(batch=batch)
    )


shapes = st.builds(
    a_run, pairs=st.integers(2, 300), batch=st.integers(1, 256), depth=st.integers(1, 24),
    width=st.sampled_from([16, 64, 256, 1024]), mlp_ratio=st.sampled_from([0.0, 4.0]),
)  # fmt: skip


@given(shapes, st.floats(1e9, 2e11))
def test_it_fits_and_no_more_than_one_run_is_ever_needed(run, memory):
    width = on_gpu(run, Gpu(memory, 3e12))
    assert width >= 1
    assert width == 1 or width * memory_bytes(run) <= SHARE * memory
    assert on_gpu(run, Gpu(2 * memory, 3e12)) >= width


def test_small_runs_want_hundreds_and_large_ones_what_fits():
    assert on_gpu(a_run(width=32), H100) > 100
    large = a_run(pairs=240, batch=32, width=768, heads=12, depth=12, mlp_ratio=4.0)
    assert on_gpu(large, H100) <= 4
    middle = a_run(pairs=8, width=64, depth=4, mlp_ratio=4.0)
    assert (
        16 < on_gpu(middle, H100) < 200
    )  # its launches are a small part of the work before memory is full
    assert on_gpu(middle, dataclasses.replace(H100, bytes_per_s=H100.bytes_per_s / BUSY)) < 16


@pytest.mark.parametrize(("cluster", "execution", "memory"), [
    ({"gres": "gpu:a100:1"}, {}, DEVICES["a100"].memory_bytes),
    ({"constraint": "b200|h100"}, {}, DEVICES["h100"].memory_bytes),
    ({"gpus": 1}, {}, UNKNOWN_BYTES),
    ({"gres": "gpu:a100:1"}, {"gpu_memory": 24.0}, 24e9),
    ({"gpus": 1, "sbatch": {"constraint": "x"}}, {"gpu_memory": 40.0, "packs_per_gpu": 2}, 40e9),
])  # fmt: skip
def test_on_slurm_by_the_gpu_that_is_asked_for(cluster, execution, memory, monkeypatch):
    monkeypatch.setattr(
        "orchestrator.launch.width.memories", lambda: pytest.fail("the login node's")
    )
    settings = Settings(Execution(**execution), Cluster(name="slurm", **cluster))
    assert expected(settings).memory_bytes == memory


@pytest.mark.parametrize(("said", "bytes_"), [
    (TWO, []), ("81559\n81559\n", [81559 * 2**20] * 2), (CUT, [20e9, 20e9]), ("[N/A]\n", []),
])  # fmt: skip
def test_here_by_the_machines_own_shared_by_the_packs_that_it_trains_at_once(said, bytes_, machine):  # noqa: F811
    machine(said)
    assert memories() == bytes_
    shared = Settings(Execution(packs_per_gpu=4))
    assert expected(shared).memory_bytes == (bytes_ or [UNKNOWN_BYTES])[0] / 4


def packs(execution: Execution, members: int):
    settings = Settings(execution, Cluster(name="slurm", gpus=1, processes=1))
    runs = [
        Experiment(dataclasses.replace(a_run(), seed=i, seed_init=i), settings)
        for i in range(members)
    ]
    return make_packs(runs)


def test_the_plan_freezes_it_and_a_pack_holds_a_call():
    wide = widest_slice(packs_experiment(Execution(gpu_memory=80.0)))
    assert wide > 100 and most_runs(packs_experiment(Execution(gpu_memory=80.0))) == wide
    (pack,) = packs(Execution(gpu_memory=80.0), wide)
    assert pack.frozen.width == wide and len(pack.run_ids) == wide
    small = packs(Execution(gpu_memory=0.1), 40)
    assert all(p.frozen.width * memory_bytes(a_run()) <= SHARE * 0.1e9 for p in small)
    given = packs(Execution(gpu_memory=80.0, width=5, pack=10), 20)
    assert [p.frozen.width for p in given] == [5, 5]
    on_cpu = packs(Execution(device="cpu"), 40)
    assert all(p.frozen.width <= CPU for p in on_cpu) and len(on_cpu) == 1


def packs_experiment(execution: Execution) -> Experiment:
    return Experiment(a_run(), Settings(execution, Cluster(name="slurm", gpus=1)))
