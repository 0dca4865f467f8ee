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

from tests.gpu.machine import SHARED, Used

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("gpu")]

COMPILED, INTERPRETED = ("raw", "bf16", "learned_taps"), ("raw", "deep_mlp")


def proofs(folder: Path, way: str, families: tuple[str, ...]) -> dict:
    """What tests.gpu.prove found; skips, or in CI fails, where Triton is missing."""
    try:
        import triton  # noqa: F401
    except ImportError:
        why = "Triton is missing: pip install -e '.[test]'"
        pytest.fail(why) if os.environ.get("REQUIRE_TRITON") else pytest.skip(why)
    out = folder / f"{way}.json"
    words = [sys.executable, "-m", "tests.gpu.prove", str(out), way, *families]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=500)
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
        for capability in SHARED:
            kernels = [Used(**u) for u in found["used"][str(capability)]]
            faults = [f for k in kernels for f in k.faults(capability)]
            assert kernels and not faults, (name, capability, faults)


@pytest.mark.parametrize("family", COMPILED)
def test_products_are_those_of_the_formula(compiled: dict, family: str):
    step, evaluate = compiled[family]["step"], compiled[family]["evaluate"]
    assert step["flops"] == step["expected_flops"]
    assert 3 * evaluate["flops"] == step["expected_flops"]


def test_the_program_equals_eager_and_a_wrong_stride_does_not(interpreted: dict):
    for family, found in interpreted.items():
        for name, each in found.items():
            assert each["launches"] > 5 and each["difference"] < 1e-5, (family, name, each)
    assert interpreted["raw"]["step"]["planted"] > 1e-3


@pytest.mark.parametrize(
    "fault",
    [{"stack": 8}, {"local": 16}, {"registers": 256}, {"shared": 1 << 20}, {"target": "sm_75"}],
)
def test_what_is_out_of_bounds_is_a_fault(fault: dict):
    good = {"kernel": "k", "target": "sm_90a", "registers": 64, "stack": 0, "local": 0, "shared": 0}
    assert Used(**good).faults(90) == []
    assert len(Used(**{**good, **fault}).faults(90)) == 1
