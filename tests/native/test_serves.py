"""Our C++ serves what it is declared to know and nothing else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from orchestrator.config import Model, Momentum, RunConfig
from orchestrator.models.native.build import compiler
from orchestrator.models.native.serves import FIELDS, LARGEST, LONGEST, WIDEST, serves
from orchestrator.optimizers.adamw import AdamW
from orchestrator.optimizers.lion import Lion
from orchestrator.tasks.recall import Recall
from orchestrator.training.native import Native
from orchestrator.training.slices import SliceState
from orchestrator.training.step import RunTensors
from tests.native.calls import Noise, random_run

RUN = RunConfig(task=Recall(), model=Model(width=16))


def extended(cls: type, *fields: tuple) -> type:
    """The class as it would be with these fields too, under its own name."""
    new = dataclasses.make_dataclass(cls.__name__, fields, bases=(cls,), frozen=True)
    new.__module__, new.__qualname__ = cls.__module__, cls.__qualname__
    return new


def rebuilt(cls: type, of, **changes):
    return cls(**{f.name: getattr(of, f.name) for f in dataclasses.fields(of)} | changes)


def with_field(where: str, *fields: tuple) -> RunConfig:
    m = RUN.model
    if where == "run":
        return rebuilt(extended(RunConfig, *fields), RUN)
    if where == "optim":
        return dataclasses.replace(RUN, optim=rebuilt(extended(AdamW, *fields), RUN.optim))
    if where == "model":
        return dataclasses.replace(RUN, model=rebuilt(extended(Model, *fields), m))
    momentum = rebuilt(extended(Momentum, *fields), m.momentum)
    return dataclasses.replace(RUN, model=dataclasses.replace(m, momentum=momentum))


@pytest.mark.parametrize("where", ["run", "optim", "model", "momentum"])
def test_a_new_field_is_not_served_until_it_is_declared(where, monkeypatch):
    assert serves(with_field(where))
    new = ("dropout", float, dataclasses.field(default=0.0))
    assert not serves(with_field(where, new))
    prefix = {"run": "", "optim": "optim.", "model": "model.", "momentum": "model.momentum."}[where]
    monkeypatch.setitem(FIELDS, prefix + "dropout", lambda value: value == 0)
    assert serves(with_field(where, new))
    assert not serves(with_field(where, ("dropout", float, dataclasses.field(default=0.1))))


MODELS = {
    "values filtered": {"momentum": Momentum(streams="qkv")},
    "filtered before the rotation": {"momentum": Momentum(placement="pre_rope")},
    "learned": {"momentum": Momentum(learn="gamma")},
    "another operator": {"momentum": Momentum(operator="my.operator")},
    "another attention": {"attention": "my.attention"},
    "too wide": {"width": WIDEST + 2},
    "too many numbers a head": {"head_dim": LARGEST + 2},
    "too large an MLP": {"mlp_ratio": float(LARGEST)},
}


@pytest.mark.parametrize("model", MODELS)
def test_models_that_are_not_served(model):
    assert not serves(dataclasses.replace(RUN, model=Model(**MODELS[model])))


def test_other_runs_that_are_not_served():
    assert serves(RUN)
    for change in (
        {"precision": "64-true"}, {"precision": "bf16-mixed"}, {"optim": Lion()},
        {"task": Noise(length=LONGEST + 1, last=3)}, {"task": Noise(vocab=LARGEST + 1)},
        {"task": Noise(first=7)},
    ):  # fmt: skip
        assert not serves(dataclasses.replace(RUN, **change)), change


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")
@pytest.mark.parametrize("size", ["width", "length", "inner", "hidden", "vocab"])
def test_the_largest_that_is_served_is_not_too_large_for_the_library(size):
    """Without memory for it: the shape passes, the empty parameters do not."""

    task, model = Noise(), {"width": 2, "head_dim": 2}
    model |= {
        "width": {"width": WIDEST},
        "inner": {"head_dim": LARGEST},
        "hidden": {"mlp_ratio": LARGEST / 2},
    }.get(size, {})
    if size in ("length", "vocab"):
        task = Noise(vocab=LARGEST) if size == "vocab" else Noise(length=LONGEST)
    run = dataclasses.replace(random_run(0), task=task, model=Model(**model))
    assert serves(run)
    assert refused(run).startswith("train: params")


def refused(run: RunConfig) -> str:
    """What the library says of a call of this run's shape with no parameters."""
    m, one = run.model, torch.ones(1)
    taps = torch.ones(1, m.depth, 2, m.heads, m.momentum.kernel_size)
    none = torch.empty(1, 0)
    state = SliceState(none, {"mean": none, "square": none}, one.double(), one.double())
    tensors = RunTensors(none, taps, one, {"lr": one, "weight_decay": one})
    Q = len(range(run.task.length)[run.task.scored])
    tokens, targets = (torch.zeros(1, 1, 1, n, dtype=torch.int64) for n in (run.task.length, Q))
    with pytest.raises(ValueError) as error:
        Native(run).advance(
            state, tensors, tokens, targets, torch.zeros(1, dtype=torch.int64), one, one
        )
    return str(error.value)


def test_the_shipped_sweeps_are_served(monkeypatch, store, capsys):
    """A field that is new in the configuration and forgotten in serves.py would cost them the C++."""
    from orchestrator.cli import main

    if compiler() is None:
        pytest.skip("no C++ compiler here")
    for sweep in ("demo", "gamma_depth_small"):
        with pytest.raises(SystemExit) as stop:
            main(["plan", sweep, "--json", "execution.device=cpu"])
        assert not stop.value.code
        plan = json.loads(capsys.readouterr().out)
        assert plan["packs"] and all(pack["native"] for pack in plan["packs"])
    assert not Path("runs").exists()
