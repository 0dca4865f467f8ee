"""A budget may be said in steps, tokens, tokens a parameter or FLOPs, and is one run however it is."""

from __future__ import annotations

import random

import pandas as pd
import pytest

from orchestrator.config import run_config
from orchestrator.cost import parameters, step_flops, tokens_per_step, train_flops
from orchestrator.errors import UserError
from orchestrator.training.schedule import evaluation_steps
from tests.conftest import orchestrator
from tests.launch.test_compose import composed

RECALL = {"_target_": "orchestrator.tasks.recall.Recall"}


def run(budget: dict, task: dict = RECALL, model: dict | None = None):
    return run_config({"task": task, "model": model or {}, "budget": budget})


@pytest.mark.parametrize("seed", range(60))
def test_the_same_run_said_four_ways_is_one(seed):
    rng = random.Random(seed)
    pairs, heads = rng.randint(1, 9), rng.choice([1, 2])
    task = {**RECALL, "pairs": pairs, "queries": rng.randint(1, pairs), "keys": 20}
    model = {
        "depth": rng.randint(1, 6), "width": 8 * heads * rng.randint(1, 6), "heads": heads,
        "tied_head": rng.random() < 0.5, "mlp_ratio": rng.choice([0, 4]),
    }  # fmt: skip
    common = {"batch": rng.randint(1, 97)}
    steps = round(10 ** rng.uniform(0, 6))
    base = run({**common, "steps": steps}, task, model)
    tokens = steps * tokens_per_step(base)
    ways = {
        "tokens": tokens, "tokens_per_parameter": tokens / parameters(base), "flops": train_flops(base)
    }  # fmt: skip
    for name, value in ways.items():
        said = run({**common, name: value}, task, model)
        assert said == base and said.run_id == base.run_id and said.shape_id == base.shape_id
        assert said.as_dict() == base.as_dict() and not set(said.as_dict()["budget"]) & set(ways)
        more = value * (1 + 0.4 / steps)
        near = run({**common, name: int(more) if name == "tokens" else more}, task, model)
        assert near.run_id == base.run_id, "the nearest whole number of steps"


@pytest.mark.parametrize("name", ["tokens", "tokens_per_parameter", "flops"])
def test_less_than_a_step_is_refused(name):
    one = run({"steps": 1})
    per_step = {"tokens": tokens_per_step(one), "flops": train_flops(one),
                "tokens_per_parameter": tokens_per_step(one) / parameters(one)}[name]  # fmt: skip
    with pytest.raises(
        UserError, match=rf"budget\.{name}=.*: is less than one step, which takes \d+"
    ):
        run({name: int(per_step * 0.4) if name == "tokens" else per_step * 0.4})


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"tokens": 1000.5}, "an integer"), ({"tokens": 0}, "above 0"), ({"flops": -1}, "above 0"),
        ({"flops": float("inf")}, "finite"), ({"flops": float("nan")}, "finite"),
        ({"tokens_per_parameter": 0}, "above 0"), ({"tokens": "many"}, "an integer"),
        ({"tokens": 10**6, "flops": 1e12}, "give one of them"),
        ({"eval_steps": [0]}, "at least 1"), ({"eval_steps": 5}, "a list"),
        ({"eval_tokens": [1.5]}, "a list"), ({"spacing": "even"}, "one of log, linear"),
        ({"eval_steps": [5], "eval_tokens": [500]}, "give one of them"),
    ],
)  # fmt: skip
def test_a_wrong_budget_is_one_line(budget, said):
    with pytest.raises(UserError, match=said) as refused:
        run(budget)
    assert "\n" not in str(refused.value) and str(refused.value).startswith("budget.")


@pytest.mark.parametrize("seed", range(40))
def test_points_of_evaluation(seed):
    rng = random.Random(seed)
    steps, evals = rng.randint(1, 500), rng.randint(1, 30)
    linear = evaluation_steps(run({"steps": steps, "evals": evals, "spacing": "linear"}).budget)
    assert linear == sorted(set(linear)) and linear[-1] == steps and len(linear) <= evals
    gaps = {b - a for a, b in zip([0, *linear], linear, strict=False)}
    assert max(gaps) - min(gaps) <= 1, "evenly, but for rounding"
    asked = [rng.randint(1, 600) for _ in range(rng.randint(0, 8))]
    by_steps = run({"steps": steps, "eval_steps": asked})
    at = evaluation_steps(by_steps.budget)
    assert at == sorted({a for a in asked if a < steps} | {steps})
    each = tokens_per_step(by_steps)
    by_tokens = run(
        {"steps": steps, "eval_tokens": [a * each - rng.randrange(each) for a in asked]}
    )
    assert by_tokens == by_steps and by_tokens.run_id == by_steps.run_id
    otherwise = run({"steps": steps, "eval_steps": [*reversed(asked), *asked, 9999], "evals": 3})
    assert otherwise.run_id == by_steps.run_id


def test_an_isoflop_grid_is_one_sweep(store):
    runs = [e.run for e in composed(
        "model.width=16,32,64", "model.depth=1,2", "budget.flops=1e9,4e9", "model/momentum=raw",
        "model.momentum.gamma=0", "seed=0",
    )]  # fmt: skip
    assert len(runs) == 12 and len({r.run_id for r in runs}) == 12
    near = [[r for r in runs if abs(train_flops(r) - asked) <= step_flops(r) / 2]
            for asked in (1e9, 4e9)]  # fmt: skip
    assert [len(n) for n in near] == [6, 6]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["budget.steps=100", "budget.tokens=100000"], "budget.steps=100: has no effect beside"),
        (["budget.steps=100", "budget.flops=1e9,2e9"], "budget.flops=null takes the other back"),
        (["++budget.steps=100", "budget.tokens=100000"], "budget.steps=100: has no effect beside"),
        (["budget.evals=5", "budget.eval_steps=[3]"], "budget.evals=5: has no effect beside"),
        (["budget.spacing=linear", "budget.eval_tokens=[3]"], "has no effect beside"),
        (["budget.tokens=1000", "budget.flops=1e9"], "give one of them"),
        (["budget.tokens=1000,1001", "budget.batch=64"], "make the same run"),
    ],
)  # fmt: skip
def test_a_word_that_another_stands_in_place_of_is_refused(store, words, said):
    with pytest.raises(UserError, match=said):
        composed(*words, "model.depth=1", "seed=0")


@pytest.mark.slow
@pytest.mark.parametrize("execution", [["execution.native=off"], []], ids=["torch", "as usual"])
def test_a_sweep_said_in_tokens_is_that_in_steps(store, sweep_file, tiny, execution):
    """Tokens, and points of evaluation: the records say steps, and nothing is trained twice."""
    words = [*(w for w in tiny if not w.startswith(("budget.steps", "budget.evals"))), *execution]
    trained = orchestrator(
        "submit", "small", *words, "budget.tokens=2400", "budget.eval_tokens=[300,1000]"
    )
    assert trained.returncode == 0, trained.stderr
    each = tokens_per_step(composed(*words, "budget.steps=1", sweep="small")[0].run)
    steps, points = round(2400 / each), [-(-t // each) for t in (300, 1000)]
    again = orchestrator(
        "submit",
        "small",
        *words,
        f"budget.steps={steps}",
        f"budget.eval_steps={points}".replace(" ", ""),
    )
    assert again.returncode == 0 and "nothing to train" in (again.stdout + again.stderr).lower(), (
        again
    )
    assert orchestrator("collect", "small").returncode == 0
    curves = pd.read_parquet("results/small/curves.parquet")
    assert sorted(curves["step"].unique()) == [*points, steps]
