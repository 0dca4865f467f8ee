"""Results do not depend on the slice: width or compilation move only the last bits, and our C++
not even those."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from orchestrator.config import RunConfig, run_config
from orchestrator.models.native.build import compiler
from orchestrator.models.native.serves import serves
from orchestrator.training.compiled import Compiled
from orchestrator.training.data import training_batches
from orchestrator.training.memory import InParts
from orchestrator.training.native import Native
from orchestrator.training.slices import slots_of, start, stepwise
from orchestrator.training.step import STEP_SHARED, Core, over_runs

CPU = torch.device("cpu")
STEPS = 5
# AdamW divides by the root of its second moment: where that is near 0, rounding moves a parameter
# by up to the learning rate; the loss stays within this (relative).
TOLERANCE = 2e-5
KINDS = {
    "two heads": {},
    "with an MLP": {"mlp_ratio": 4.0},
    "odd sizes, tied": {"width": 20, "mlp_ratio": 1.7, "tied_head": True},
    "odd heads, no positions": {"width": 20, "head_dim": 3, "rope_base": None},
    "three taps": {"momentum": {"kernel": 3, "smoothing": 0.5, "gamma": 0.4}},
    "one head": {"heads": 1, "width": 32},
}

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")


def _runs(n: int, precision: str = "32-true", **model) -> list[RunConfig]:
    task = {"_target_": "orchestrator.tasks.recall.Recall", "pairs": 3, "queries": 3}
    model = {"depth": 2, "width": 16, "heads": 2, **model}
    return [
        run_config({
            "task": task, "seed": i, "precision": precision, "budget": {"steps": STEPS, "batch": 8},
            "model": {"momentum": {"gamma": 0.5 * i}, **model},
        })
        for i in range(n)
    ]  # fmt: skip


def _train(runs: list[RunConfig], width: int, how: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean losses (runs,), parameters (runs, P) after STEPS, trained in slices of `width`."""
    losses, params = [], []
    core = Core(runs[0], CPU)
    step = over_runs(core)[0]
    advance = Native(runs[0]).advance if how == "native" else stepwise(
        Compiled(step) if how == "compiled" else step)  # fmt: skip
    seeds = torch.tensor([r.seed_data for r in runs])
    number = torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(runs[0], seeds, number)
    for slots in slots_of(len(runs), width):
        state, t = start(core, runs, slots)
        seen, factor = torch.tensor(slots.padded), torch.ones(STEPS, dtype=core.dtype)
        norm = advance(state, t, tokens, targets, seen, number.to(core.dtype), factor)
        assert norm.isfinite().all()
        losses.append(state.loss_sum[: len(slots.members)] / STEPS)
        params.append(state.params[: len(slots.members)])
    return torch.cat(losses), torch.cat(params)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_width_moves_only_the_last_bits(width):
    runs = _runs(5)
    ours, whole = _train(runs, width, "eager")[0], _train(runs, 5, "eager")[0]
    torch.testing.assert_close(ours, whole, rtol=TOLERANCE, atol=0)


def test_a_slice_that_memory_does_not_take_is_called_in_halves():
    """A stand-in for a small device refuses more than two runs at once, from the third step on."""
    runs, calls = _runs(5) * 2, []
    step = over_runs(Core(runs[0], CPU))[0]

    def small(params, *rest):
        calls.append(len(params))
        if len(calls) > 2 and len(params) > 2:
            raise torch.OutOfMemoryError("stand-in")
        return step(params, *rest)

    state, t = start(Core(runs[0], CPU), runs, slots_of(10, 10)[0])
    seeds, number = torch.arange(5), torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(runs[0], seeds, number)
    advance = stepwise(InParts(lambda: small, STEP_SHARED))
    advance(state, t, tokens, targets, torch.cat((seeds, seeds)), number.float(), torch.ones(STEPS))
    assert calls == [10, 10, 10, 5] + [2] * 5 * (STEPS - 2)
    whole = _train(runs, 10, "eager")[0]
    torch.testing.assert_close(state.loss_sum / STEPS, whole, rtol=TOLERANCE, atol=0)

    def smaller(*args):
        raise torch.OutOfMemoryError("stand-in")

    with pytest.raises(torch.OutOfMemoryError):
        InParts(lambda: smaller, 1)(torch.zeros(4, 1), torch.zeros(1))


@pytest.mark.slow
def test_compilation_moves_only_the_last_bits():
    runs = _runs(3)
    ours, plain = _train(runs, 3, "compiled")[0], _train(runs, 3, "eager")[0]
    torch.testing.assert_close(ours, plain, rtol=TOLERANCE, atol=0)


@needs_compiler
@pytest.mark.parametrize("width", [1, 3])
def test_native_results_are_bit_for_bit_the_same_at_every_width(width):
    runs = _runs(5)
    for ours, whole in zip(_train(runs, width, "native"), _train(runs, 5, "native"), strict=True):
        assert torch.equal(ours, whole)


@needs_compiler
@pytest.mark.parametrize("kind", KINDS)
def test_native_steps_and_plain_operations_agree(kind):
    """Against float64: no farther from it than ten times torch's own float32 is, or the tolerance."""
    runs = _runs(3, **KINDS[kind])
    assert serves(runs[0])
    exact = _train(_runs(3, "64-true", **KINDS[kind]), 3, "eager")
    ours, plain = _train(runs, 3, "native"), _train(runs, 3, "eager")
    torch.testing.assert_close(ours[0], exact[0], rtol=TOLERANCE, atol=0)
    error, theirs = (((x[1] - exact[1]).square().mean().sqrt()) for x in (ours, plain))
    assert error < 10 * theirs + 1e-6


@needs_compiler
@pytest.mark.parametrize("kind", KINDS)
def test_native_evaluation_agrees(kind):
    runs = _runs(3, **KINDS[kind])
    core, (slots,) = Core(runs[0], CPU), slots_of(3, 3)
    state, t = start(core, runs, slots)
    batch = runs[0].task.batch(torch.tensor(7), torch.tensor(1), 40)
    loss, correct = over_runs(core)[1](state.params, t.taps, *batch)
    ours, right = Native(runs[0]).evaluate(state.params, t.taps, *batch)
    torch.testing.assert_close(ours, loss, rtol=1e-5, atol=0)
    assert torch.equal(right, correct)


@needs_compiler
def test_native_runs_that_diverge_leave_their_mates_bit_for_bit():
    """Also the runs that come after it, in the same memory."""
    calm = _runs(4)
    wild = list(calm)
    wild[1] = run_config({**calm[1].as_dict(), "optim": {"lr": 1e38, "clip": None, "warmup": 0}})
    loss, params = _train(calm, 4, "native")
    state, t = start(Core(wild[0], CPU), wild, slots_of(4, 4)[0])
    seeds, number = torch.arange(4), torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(wild[0], seeds, number)
    Native(wild[0]).advance(state, t, tokens, targets, seeds, number.float(), torch.ones(STEPS))
    assert not state.loss_sum[1].isfinite()
    for i in (0, 2, 3):
        assert state.loss_sum[i] / STEPS == loss[i] and torch.equal(state.params[i], params[i])


@needs_compiler
def test_native_ignores_what_torch_ignores_and_refuses_what_is_no_token():
    (run,) = _runs(1)
    core = Core(run, CPU)
    state, t = start(core, [run], slots_of(1, 1)[0])
    tokens, targets = run.task.batch(torch.tensor(7), torch.tensor(1), 8)
    targets[0, 1] = -100
    loss, _ = over_runs(core)[1](state.params, t.taps, tokens, targets)
    ours, _ = Native(run).evaluate(state.params, t.taps, tokens, targets)
    torch.testing.assert_close(ours, loss, rtol=1e-5, atol=0)
    tokens[3, 2] = run.task.vocab
    with pytest.raises(IndexError, match="outside"):
        Native(run).evaluate(state.params, t.taps, tokens, targets)


@needs_compiler
def test_no_taps_are_no_filter():
    """What `bench` measures momentum's cost against."""
    runs = _runs(2, momentum={"gamma": 0.0})
    _, params = _train(runs, 2, "native")
    state, t = start(Core(runs[0], CPU), runs, slots_of(2, 2)[0])
    bare = dataclasses.replace(t, taps=t.taps[..., :0])
    seeds, number = torch.arange(2), torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(runs[0], seeds, number)
    Native(runs[0]).advance(state, bare, tokens, targets, seeds, number.float(), torch.ones(STEPS))
    assert torch.equal(state.params, params)
