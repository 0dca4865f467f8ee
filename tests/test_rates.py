"""Optimiser settings said as functions of size, in tokens or independent of the rate: the numbers they are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config import run_config
from orchestrator.cost import parameters, tokens_per_step
from orchestrator.errors import UserError
from orchestrator.rates import FUNCTIONS, SIZES, evaluated

TASK = {"_target_": "orchestrator.tasks.recall.Recall"}


def a_run(optim: dict | None = None, **sections):
    model = {"depth": 3, "width": 24, "heads": 2, **sections.pop("model", {})}
    budget = {"steps": 120, "batch": 48, **sections.pop("budget", {})}
    return run_config({"task": TASK, "model": model, "budget": budget, "optim": optim or {}})


def expressions() -> st.SearchStrategy[str]:
    """Arithmetic as people write it, with names, functions and brackets."""
    leaf = (
        st.sampled_from([*SIZES])
        | st.floats(0.1, 9).map(lambda x: f"{x:.3g}")
        | st.integers(1, 9).map("{}.0".format)
    )

    def more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        both = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", " ** "]), inner)
        return (
            both.map("".join)
            | inner.map(lambda x: f"({x})")
            | inner.map(lambda x: f"sqrt({x})")
            | st.tuples(inner, inner).map(lambda xy: f"max({xy[0]}, {xy[1]})")
        )

    return st.recursive(leaf, more, max_leaves=5)


@given(expressions())
def test_an_expression_is_what_python_makes_of_it_or_one_line(text):
    run = a_run()
    names = {name: float(size(run)) for name, size in SIZES.items()}
    try:
        expected = float(eval(text, {"__builtins__": {}}, {**names, **FUNCTIONS}))
    except (ArithmeticError, ValueError, TypeError):  # TypeError: a complex number
        expected = math.nan
    try:
        found = evaluated(text, run, "optim.lr")
    except UserError as e:
        assert "\n" not in str(e) and not math.isfinite(expected), (text, expected)
    else:
        assert found == pytest.approx(expected, rel=1e-11)


@given(st.text(st.sampled_from("depth()*/+-._[]{}'\"=:,;0123 lamb@\\\n"), max_size=20))
def test_any_other_text_is_one_line(text):
    try:
        value = evaluated(text, a_run(), "optim.lr")
    except UserError as e:
        assert str(e).startswith("optim.lr=")
    else:
        assert math.isfinite(value)


@pytest.mark.parametrize("text", [
    "__import__('os').system('true')", "depth.__class__", "[1][0]", "(lambda: 1)()", "depth if 1 else 2",
    "'3'", "True", "sqrt(x=4)", "sqrt(*[4])", "1e999", "9**9**9", "depth @ 2", "not 1", "(" * 500, "1j", "",
])  # fmt: skip
def test_nothing_else_is_computed(text):
    with pytest.raises(UserError):
        evaluated(text, a_run(), "optim.lr")


def test_a_rate_said_as_a_function_of_size_is_the_run_of_its_number():
    for text, number in {
        "0.004 * sqrt(batch / 64)": 0.004 * math.sqrt(48 / 64),
        "0.01 / depth": 0.01 / 3,
        "0.1 * depth": 0.3,
        "0.02 * depth ** -0.5": 0.02 * 3**-0.5,
        "1 / sqrt(parameters)": parameters(a_run()) ** -0.5,
        "10 / tokens": 10 / (120 * tokens_per_step(a_run())),
    }.items():
        said = a_run({"lr": text})
        assert said.optim.lr == float(f"{number:.12g}")
        assert said.run_id == a_run({"lr": said.optim.lr}).run_id
        assert run_config(said.as_dict()).run_id == said.run_id


def test_the_length_that_it_names_may_itself_be_said_in_tokens():
    tokens = 77 * tokens_per_step(a_run())
    said = a_run({"warmup": "round(steps / 11)"}, budget={"steps": 1, "tokens": tokens})
    assert said.optim.warmup == 7
    assert said.run_id == a_run({"warmup": 7}, budget={"steps": 77}).run_id


def test_any_number_of_an_optimiser_may_be_an_expression_and_no_word_is():
    lion = a_run({"_target_": "orchestrator.optimizers.lion.Lion", "weight_decay": "1 / width"})
    assert lion.optim.weight_decay == float(f"{1 / 24:.12g}")
    with pytest.raises(UserError, match="must be one of cosine"):
        a_run({"schedule": "depth"})
    with pytest.raises(UserError, match="optim.warmup=2.5: must be an integer"):
        a_run({"warmup": "5 / 2"})


@given(st.integers(0, 500), st.integers(0, 10**6))
def test_warm_up_in_tokens_is_the_nearest_number_of_steps(steps, more):
    one = tokens_per_step(a_run())
    assert a_run({"warmup_tokens": steps * one}).run_id == a_run({"warmup": steps}).run_id
    tokens = steps * one + more
    found = a_run({"warmup_tokens": tokens}).optim.warmup
    assert 2 * abs(found * one - tokens) <= one


@given(st.floats(1e-5, 1), st.floats(1e-8, 1e-2))
def test_an_independent_weight_decay_is_the_same_a_step_at_any_rate(lr, decay):
    run = a_run({"lr": lr, "independent_weight_decay": decay})
    assert run.optim.lr * run.optim.weight_decay == pytest.approx(decay, rel=1e-11)
    assert run.optim.independent_weight_decay is None
    assert run.run_id == a_run({"lr": lr, "weight_decay": run.optim.weight_decay}).run_id


@pytest.mark.parametrize(("optim", "said"), [
    ({"independent_weight_decay": 1e-3, "lr": 0.0}, "must be 0 where optim.lr is"),
    ({"independent_weight_decay": -1.0}, "must be 0 or more, finite"),
    ({"independent_weight_decay": math.inf}, "must be 0 or more, finite"),
    ({"warmup_tokens": -3}, "must be 0 or more tokens"),
    ({"warmup_tokens": 1.5}, "must be an integer"),
    ({"lr": "0 - depth"}, "must be 0 or more, finite"),
    ({"lr": "depht"}, "did you mean depth"),
])  # fmt: skip
def test_what_it_can_not_be(optim, said):
    with pytest.raises(UserError, match=said):
        a_run(optim)
