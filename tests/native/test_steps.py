"""Our C++ trains as the torch operations do, and a run's bits do not depend on its slice."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from orchestrator.config import run_config
from orchestrator.models.native.build import compiler
from orchestrator.models.native.serves import serves
from orchestrator.training.data import training_batches
from orchestrator.training.native import Native
from orchestrator.training.selfcheck import TOLERANCE
from orchestrator.training.slices import slots_of, start
from orchestrator.training.step import Core, over_runs
from tests.training.few_steps import CPU, STEPS, runs_of, train

KINDS = {
    "two heads": {},
    "with an MLP": {"mlp_ratio": 4.0},
    "odd sizes, tied": {"width": 20, "mlp_ratio": 1.7, "tied_head": True},
    "odd heads, no positions": {"width": 20, "head_dim": 3, "rope_base": None},
    "three taps": {"momentum": {"kernel": 3, "smoothing": 0.5, "gamma": 0.4}},
    "one head": {"heads": 1, "width": 32},
    # Vectors that start anywhere: a head of 20 numbers, and 36.
    "heads of 20": {"width": 20, "heads": 1, "rope_base": None},
    "heads of 36": {"width": 40, "heads": 2, "head_dim": 36},
}

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")


@pytest.mark.parametrize("width", [1, 3])
def test_native_results_are_bit_for_bit_the_same_at_every_width(width):
    runs = runs_of(5)
    for ours, whole in zip(train(runs, width, "native"), train(runs, 5, "native"), strict=True):
        assert torch.equal(ours, whole)


@pytest.mark.parametrize("kind", KINDS)
def test_native_steps_and_plain_operations_agree(kind):
    """Against float64: no farther from it than ten times torch's own float32 is, or the tolerance."""
    runs = runs_of(3, **KINDS[kind])
    assert serves(runs[0])
    exact = train(runs_of(3, "64-true", **KINDS[kind]), 3, "eager")
    ours, plain = train(runs, 3, "native"), train(runs, 3, "eager")
    torch.testing.assert_close(ours[0], exact[0], rtol=TOLERANCE, atol=0)
    error, theirs = (((x[1] - exact[1]).square().mean().sqrt()) for x in (ours, plain))
    assert error < 10 * theirs + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_native_evaluation_agrees(kind):
    runs = runs_of(3, **KINDS[kind])
    core, (slots,) = Core(runs[0], CPU), slots_of(3, 3)
    state, t = start(core, runs, slots)
    batch = runs[0].task.batch(torch.tensor(7), torch.tensor(1), 40)
    loss, correct = over_runs(core)[1](state.params, t.taps, *batch)
    ours, right = Native(runs[0]).evaluate(state.params, t.taps, *batch)
    torch.testing.assert_close(ours, loss, rtol=1e-5, atol=0)
    assert torch.equal(right, correct)


def test_native_runs_that_diverge_leave_their_mates_bit_for_bit():
    """Also the runs that come after it, in the same memory."""
    calm = runs_of(4)
    wild = list(calm)
    wild[1] = run_config({**calm[1].as_dict(), "optim": {"lr": 1e38, "clip": None, "warmup": 0}})
    loss, params = train(calm, 4, "native")
    state, t = start(Core(wild[0], CPU), wild, slots_of(4, 4)[0])
    seeds, number = torch.arange(4), torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(wild[0], seeds, number)
    Native(wild[0]).advance(state, t, tokens, targets, seeds, number.float(), torch.ones(STEPS))
    assert not state.loss_sum[1].isfinite()
    for i in (0, 2, 3):
        assert state.loss_sum[i] / STEPS == loss[i] and torch.equal(state.params[i], params[i])


def test_native_ignores_what_torch_ignores_and_refuses_what_is_no_token():
    (run,) = runs_of(1)
    core = Core(run, CPU)
    state, t = start(core, [run], slots_of(1, 1)[0])
    tokens, targets = run.task.batch(torch.tensor(7), torch.tensor(1), 8)
    targets[0, 1] = -100
    loss, _ = over_runs(core)[1](state.params, t.taps, tokens, targets)
    ours, _ = Native(run).evaluate(state.params, t.taps, tokens, targets)
    torch.testing.assert_close(ours, loss, rtol=1e-5, atol=0)
    tokens[3, 2] = run.task.vocab
    with pytest.raises(ValueError, match="outside"):
        Native(run).evaluate(state.params, t.taps, tokens, targets)


def test_no_taps_are_no_filter():
    """What `bench` measures momentum's cost against."""
    runs = runs_of(2, momentum={"gamma": 0.0})
    _, params = train(runs, 2, "native")
    state, t = start(Core(runs[0], CPU), runs, slots_of(2, 2)[0])
    bare = dataclasses.replace(t, taps=t.taps[..., :0])
    seeds, number = torch.arange(2), torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(runs[0], seeds, number)
    Native(runs[0]).advance(state, bare, tokens, targets, seeds, number.float(), torch.ones(STEPS))
    assert torch.equal(state.params, params)
