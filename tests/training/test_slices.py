"""Results do not depend on the slice: width or compilation move only the last bits."""

from __future__ import annotations

import pytest
import torch

from orchestrator.training.data import training_batches
from orchestrator.training.memory import InParts
from orchestrator.training.selfcheck import TOLERANCE
from orchestrator.training.slices import slots_of, start, stepwise
from orchestrator.training.step import STEP_SHARED, Core, over_runs
from tests.training.few_steps import CPU, STEPS, runs_of, train


@pytest.mark.parametrize("width", [1, 2, 3])
def test_width_moves_only_the_last_bits(width):
    runs = runs_of(5)
    ours, whole = train(runs, width, "eager")[0], train(runs, 5, "eager")[0]
    torch.testing.assert_close(ours, whole, rtol=TOLERANCE, atol=0)


def test_a_slice_that_memory_does_not_take_is_called_in_halves():
    """A stand-in for a small device refuses more than two runs at once, from the third step on."""
    runs, calls = runs_of(5) * 2, []
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
    whole = train(runs, 10, "eager")[0]
    torch.testing.assert_close(state.loss_sum / STEPS, whole, rtol=TOLERANCE, atol=0)

    def smaller(*args):
        raise torch.OutOfMemoryError("stand-in")

    with pytest.raises(torch.OutOfMemoryError):
        InParts(lambda: smaller, 1)(torch.zeros(4, 1), torch.zeros(1))


@pytest.mark.slow
def test_compilation_moves_only_the_last_bits():
    runs = runs_of(3)
    ours, plain = train(runs, 3, "compiled")[0], train(runs, 3, "eager")[0]
    torch.testing.assert_close(ours, plain, rtol=TOLERANCE, atol=0)
