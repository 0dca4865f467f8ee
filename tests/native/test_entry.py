"""What is handed to our C++ is of the type, shape and place that it is told, or one line says what not."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from orchestrator.models.native.build import compiler
from orchestrator.training.data import training_batches
from orchestrator.training.native import Native
from orchestrator.training.slices import slots_of, start
from orchestrator.training.step import Core
from tests.training.few_steps import CPU, STEPS, runs_of

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")

GIVEN = ("params", "mean", "square", "taps", "lr", "weight_decay", "clip", "tokens", "targets",
         "seen", "number", "factor")  # fmt: skip
IN_PLACE = ("params", "mean", "square")


def good() -> dict[str, torch.Tensor]:
    runs = runs_of(2)
    state, t = start(Core(runs[0], CPU), runs, slots_of(2, 2)[0])
    number = torch.arange(1, STEPS + 1)
    tokens, targets = training_batches(runs[0], torch.arange(2), number)
    return {
        "params": state.params, **state.optim, "taps": t.taps, **t.hyper, "clip": t.clip,
        "tokens": tokens, "targets": targets, "seen": torch.arange(2), "number": number.float(),
        "factor": torch.ones(STEPS),
    }  # fmt: skip


def advance(native: Native, x: dict[str, torch.Tensor]) -> None:
    runs = runs_of(2)
    state, t = start(Core(runs[0], CPU), runs, slots_of(2, 2)[0])
    state.params, state.optim = x["params"], {n: x[n] for n in ("mean", "square")}
    hyper = {n: x[n] for n in ("lr", "weight_decay")}
    t = dataclasses.replace(t, taps=x["taps"], clip=x["clip"], hyper=hyper)
    native.advance(state, t, *(x[n] for n in GIVEN[-5:]))


def wider(x: torch.Tensor) -> torch.Tensor:
    """A view of the same numbers, every other one of a larger memory."""
    return torch.stack((x, x), -1)[..., 0]


DAMAGE = {
    "another type": lambda x: x.int() if x.dtype == torch.int64 else x.double(),
    "shorter": lambda x: x[:-1],
    "shorter at the end": lambda x: x[..., :-1],
    "longer": lambda x: torch.cat((x, x)),
    "another number of axes": lambda x: x[None],
    "axes exchanged": lambda x: x.transpose(0, -1).contiguous() if x.ndim > 1 else x[:0],
    "nothing": lambda x: x[:0],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", GIVEN)
def test_a_tensor_that_is_not_what_it_must_be_is_named_and_nothing_changes(name, damage):
    native, x = Native(runs_of(2)[0]), good()
    if name == "taps" and damage in ("shorter at the end", "axes exchanged"):
        pytest.skip("fewer taps are a shorter filter, and here all axes are of one length")
    x[name] = DAMAGE[damage](x[name])
    before = copy.deepcopy(x)
    with pytest.raises((ValueError, IndexError), match="must|belong there"):
        advance(native, x)
    assert all(torch.equal(x[n], before[n]) for n in x)


@pytest.mark.parametrize("name", IN_PLACE)
def test_what_is_changed_in_place_must_be_whole_memory(name):
    """A copy would be trained instead."""
    x = good()
    x[name] = wider(x[name])
    with pytest.raises(ValueError, match=f"^{name}: .*not contiguous"):
        advance(Native(runs_of(2)[0]), x)


@pytest.mark.parametrize("name", ["tokens", "targets", "taps"])
def test_what_is_only_read_may_lie_anyhow(name):
    native, x, y = Native(runs_of(2)[0]), good(), good()
    y[name] = wider(y[name])
    advance(native, x), advance(native, y)
    assert torch.equal(x["params"], y["params"])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("tokens", -1),
        ("tokens", 10**12),
        ("targets", -101),
        ("targets", 99),
        ("seen", 2),
        ("seen", -1),
    ],
)
def test_a_number_out_of_range_is_named_before_anything_changes(name, wrong):
    x = good()
    x[name].view(-1)[-1] = wrong
    before = copy.deepcopy(x)
    with pytest.raises(ValueError, match=f"train: {name}: {wrong} .* is outside 0.."):
        advance(Native(runs_of(2)[0]), x)
    assert all(torch.equal(x[n], before[n]) for n in x)


def test_parameters_of_another_model_are_refused():
    """The C++ counts parameters from its own shape."""
    x, other = good(), Native(runs_of(2, mlp_ratio=2.0)[0])
    with pytest.raises(ValueError, match="params: .* numbers are given and .* belong there"):
        advance(other, x)


@pytest.mark.parametrize("name", ["tokens", "targets"])
@pytest.mark.parametrize(
    "damage", ["another type", "shorter", "shorter at the end", "longer", "nothing"]
)
def test_evaluation_checks_its_batch_too(name, damage):
    x, native = good(), Native(runs_of(2)[0])
    batch = {"tokens": x["tokens"][0, 0], "targets": x["targets"][0, 0]}
    native.evaluate(x["params"], x["taps"], **batch)
    batch[name] = DAMAGE[damage](batch[name])
    with pytest.raises(ValueError, match="must|belong there"):
        native.evaluate(x["params"], x["taps"], **batch)
