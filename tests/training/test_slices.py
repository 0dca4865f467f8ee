"""Results do not depend on the slice: width, compilation or kernel move only the last bits."""

from __future__ import annotations

import pytest
import torch

from orchestrator.config import RunConfig, run_config
from orchestrator.models import fused
from orchestrator.models.attention import attend
from orchestrator.models.momentum import causal_filter
from orchestrator.models.native.build import compiler
from orchestrator.models.rope import rope_table, rotate
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import training_batches
from orchestrator.training.slices import slots_of, start
from orchestrator.training.step import Core, over_runs

CPU = torch.device("cpu")
STEPS = 5
# AdamW divides by the root of its second moment: where that is near 0, rounding moves a parameter
# by up to the learning rate; the loss stays within this (relative).
TOLERANCE = 2e-5

needs_kernel = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")


def _runs(n: int) -> list[RunConfig]:
    task = {"_target_": "orchestrator.tasks.recall.Recall", "pairs": 3, "queries": 3}
    return [
        run_config({
            "task": task, "seed": i, "budget": {"steps": STEPS, "batch": 8},
            "model": {"depth": 2, "width": 16, "heads": 2, "momentum": {"gamma": 0.5 * i}},
        })
        for i in range(n)
    ]  # fmt: skip


def _losses(
    runs: list[RunConfig], width: int, compiled: bool = False, native: bool = compiler() is not None
) -> torch.Tensor:
    """(runs, STEPS) training losses, trained in slices of `width`."""
    out = []
    for slots in slots_of(len(runs), width):
        core = Core(runs[0], CPU, native)
        step = Compiled(over_runs(core)[0]) if compiled else over_runs(core)[0]
        state, t = start(core, runs, slots)
        seeds = torch.tensor([r.seed_data for r in runs])
        tokens, targets = training_batches(runs[0], seeds, torch.arange(1, STEPS + 1))
        losses = []
        for i in range(STEPS):
            state.params, state.mean, state.square, loss, _ = step(
                state.params, state.mean, state.square, t.taps, t.lr, t.weight_decay, t.clip,
                tokens[i], targets[i], torch.tensor(slots.padded), torch.tensor(i + 1.0),
                torch.tensor(1.0),
            )  # fmt: skip
            losses.append(loss)
        out.append(torch.stack(losses, 1)[: len(slots.members)])
    return torch.cat(out)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_width_moves_only_the_last_bits(width):
    runs = _runs(5)
    torch.testing.assert_close(_losses(runs, width), _losses(runs, 5), rtol=TOLERANCE, atol=0)


@pytest.mark.slow
def test_compilation_moves_only_the_last_bits():
    runs = _runs(3)
    torch.testing.assert_close(_losses(runs, 3, True), _losses(runs, 3), rtol=TOLERANCE, atol=0)


@needs_kernel
def test_kernel_and_plain_operations_agree():
    runs = _runs(3)
    ours, plain = _losses(runs, 3, native=True), _losses(runs, 3, native=False)
    assert not torch.equal(ours, plain)  # else the kernel was not used
    torch.testing.assert_close(ours, plain, rtol=TOLERANCE, atol=0)


@needs_kernel
@pytest.mark.parametrize(("T", "H", "D", "K"), [(1, 1, 2, 2), (15, 1, 32, 2), (33, 3, 10, 4)])
def test_kernel_against_float64(T, H, D, K):
    torch.manual_seed(0)
    q, k, v, grad = (torch.randn(3, T, H, D) for _ in range(4))
    taps = torch.randn(2, H, K)
    cos, sin = rope_table(T, D, 1e4)

    def plain(q, k, v):
        def placed(z, taps_HK):
            return causal_filter(rotate(z.transpose(1, 2), cos, sin), taps_HK.double())

        o = attend(placed(q, taps[0]), placed(k, taps[1]), v.transpose(1, 2))
        return o.transpose(1, 2)

    def kernel(q, k, v):
        return fused.attention(q, k, v, taps, cos.float(), sin.float())

    ours, our_grads = torch.func.vjp(kernel, q, k, v)
    truth, true_grads = torch.func.vjp(plain, q.double(), k.double(), v.double())
    pairs = zip((ours, *our_grads(grad)), (truth, *true_grads(grad.double())), strict=True)
    for a, b in pairs:
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


@needs_kernel
def test_what_is_not_a_number_stays_in_its_run():
    z = torch.randn(2, 3, 6, 1, 4)
    bad = z.clone()
    bad[0, 0, 3, 0, 0] = float("nan")
    taps = torch.tensor([1.5, -0.5]).expand(2, 1, 2)
    cos, sin = (x.float() for x in rope_table(6, 4, 1e4))

    def loss(z):
        return fused.attention(z, z, z, taps, cos, sin).square().sum()

    gradient = torch.vmap(torch.func.grad(loss))
    good, hurt = gradient(z), gradient(bad)
    assert hurt[0].isnan().any()
    assert torch.equal(hurt[1], good[1])
    assert torch.equal(gradient(z), good)  # nothing stays behind for the next call
