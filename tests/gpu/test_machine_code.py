"""Step and evaluation, compiled to the machine code of three GPUs on a machine without one.

The same programs, at a small shape, run in Triton's interpreter and equal eager.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu.families import run_of, width_of
from tests.gpu.machine import Used

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("gpu")]

COMPILED = ("raw", "bf16", "learned_taps", "long")
INTERPRETED = ("raw", "deep_mlp", "bf16", "long_bf16")


def proofs(folder: Path, way: str, families: tuple[str, ...]) -> dict:
    """What tests.gpu.prove found; skips, or in CI fails, where Triton is missing."""
    try:
        import triton  # noqa: F401
    except ImportError:
        why = "Triton is missing: pip install -e '.[test]'"
        pytest.fail(why) if os.environ.get("REQUIRE_TRITON") else pytest.skip(why)
    out = folder / f"{way}.json"
    words = [sys.executable, "-m", "tests.gpu.prove", str(out), way, *families]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> dict:
    return proofs(tmp_path_factory.mktemp("gpu"), "compile", COMPILED)


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory) -> dict:
    return proofs(tmp_path_factory.mktemp("gpu"), "interpret", INTERPRETED)


@pytest.mark.parametrize("family", COMPILED)
def test_kernels_compile_within_bounds(compiled: dict, family: str):
    for name, found in compiled[family].items():
        for capability, used in found["used"].items():
            faults = [f for u in used for f in Used(**u).faults(int(capability))]
            assert used and not faults, (name, capability, faults)


def test_a_planted_spill_is_found(compiled: dict):
    (kernel,) = (Used(**u) for u in compiled["raw"]["step"]["spilled"])
    assert any("spills" in fault for fault in kernel.faults(90))


def test_long_attention_is_fused_and_makes_no_scores(compiled: dict):
    run, width = run_of("long", small=False), width_of("long")
    scores = width * run.budget.batch * run.model.heads * run.task.length**2
    step, evaluate = compiled["long"]["step"], compiled["long"]["evaluate"]
    kernel = "torch.ops.aten._scaled_dot_product_efficient_attention"
    assert step["fused"] == [f"{kernel}.default", f"{kernel}_backward.default"]
    assert evaluate["fused"] == [f"{kernel}.default"]
    assert max(step["largest"], evaluate["largest"]) < scores / 4


@pytest.mark.parametrize("family", [f for f in COMPILED if f != "long"])
def test_products_are_those_of_the_formula(compiled: dict, family: str):
    step, evaluate = compiled[family]["step"], compiled[family]["evaluate"]
    assert step["flops"] == step["expected_flops"]
    assert 3 * evaluate["flops"] == step["expected_flops"]


def test_the_program_equals_eager_and_a_wrong_stride_does_not(interpreted: dict):
    for family, found in interpreted.items():
        for name, each in found.items():
            assert each["launches"] >= 5
            if "bf16" not in family:
                assert each["difference"] < 1e-5, (family, name, each)
    assert interpreted["raw"]["step"]["planted"] > 1e-3


@pytest.mark.parametrize("family", ["bf16", "long_bf16"])
def test_bf16_strays_from_float32_no_farther_than_eager(interpreted: dict, family: str):
    """Both round; a program that keeps a fused value in float32 rounds less often."""
    for name, each in interpreted[family].items():
        assert all(ours <= eager < 0.03 for ours, eager in each["errors"]), (name, each["errors"])


def test_fused_attention_is_called_once_for_all_runs(interpreted: dict):
    step, evaluate = interpreted["long_bf16"]["step"], interpreted["long_bf16"]["evaluate"]
    assert step["fused"] == {"forward": 1, "backward": 1}
    assert evaluate["fused"] == {"forward": 1, "backward": 0}


@pytest.mark.parametrize(
    "fault",
    [{"stack": 8}, {"local": 16}, {"registers": 256}, {"shared": 1 << 20}, {"target": "sm_75"}],
)
def test_what_is_out_of_bounds_is_a_fault(fault: dict):
    good = {"kernel": "k", "target": "sm_90a", "registers": 64, "stack": 0, "local": 0, "shared": 0}
    assert Used(**good).faults(90) == []
    assert len(Used(**{**good, **fault}).faults(90)) == 1
