"""The bound on paper: which of bytes and products sets a kernel's least time, and what they add to."""

from __future__ import annotations

import sys

import pytest

from orchestrator.bench.paper import bound, device
from orchestrator.bench.paper.lower import Kernel, Lowered
from orchestrator.data_sheets import DEVICES, LAUNCH_S
from orchestrator.errors import UserError
from tests.gpu.families import run_of

H100 = DEVICES["h100"]


@pytest.mark.parametrize(
    ("kernel", "least", "by"),
    [
        (Kernel("copy", False, 3_350_000, 0), 1e-6, "bytes"),
        (Kernel("bmm", True, 4, 67_000_000), 1e-6, "flops"),
        (Kernel("bmm", True, 4, 989_000_000, plain=False), 1e-6, "flops"),
    ],
)
def test_a_kernels_least_time_is_its_bytes_or_its_products(kernel: Kernel, least: float, by: str):
    assert bound.seconds(kernel, H100) == (pytest.approx(least), by)


def test_the_parts_add_up_and_many_small_kernels_are_limited_by_launches(monkeypatch, capsys):
    kernels = [
        Kernel("op", False, 100, 0), Kernel("extern.bmm", True, 200, 1000),
        Kernel("aten._scaled_dot_product_flash_attention", True, 300, 2000, False),
    ]  # fmt: skip
    monkeypatch.setattr(bound, "pretend", lambda device: None)
    monkeypatch.setattr(bound, "lower", lambda function, args: Lowered("", [], kernels, 0))
    found = bound.bound(run_of("raw", small=True), 2, H100)
    step = found["step"]
    assert list(step["parts"]) == list(bound.KINDS)
    for key in ("launches", "bytes", "flops", "seconds"):
        assert sum(p[key] for p in step["parts"].values()) == pytest.approx(step[key])
    assert step["limit"] == "launches" and step["each_s"] == 3 * LAUNCH_S / 2
    bound.bound_text(found)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_without_triton_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(UserError, match="^Triton is missing: pip install triton$"):
        device.pretend(H100)
