"""An optimiser of one's own: it trains, its settings are typed, and a broken one is one line."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.cli import main
from orchestrator.parts import optimizer
from orchestrator.records.manifests import read_sweep
from orchestrator.records.store import open_store
from tests.conftest import orchestrator

HEAD = """
from dataclasses import dataclass, field
import torch
from orchestrator.optimizers import PER_RUN, RATE, Optim, join, split
CALLS = []

"""
INIT = "def init(self, params_P, shapes):\n"
UPDATE = "def update(self, params_P, grad_P, state, shapes, step, *, lr, weight_decay):\n"


def source(init: str = "return {'v': torch.zeros_like(params_P)}", update: str = "",
           fields: str = "", signature: str = UPDATE, head: str = "@dataclass(frozen=True)\n"
           "class Mine(Optim):\n") -> str:  # fmt: skip
    """A module with an optimiser; what is not given is right."""
    update = update or "v = 0.9 * state['v'] + grad_P\nreturn params_P - lr * v, {'v': v}"
    body = [fields or "mu: float = 0.9", INIT + _in(init), signature + _in(update)]
    return HEAD + head + _in("\n\n".join(body))


def _in(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def new(state: str = "{'v': grad_P}", params: str = "params_P - lr * grad_P") -> str:
    return f"return {params}, {state}"


BROKEN = {
    "no module": ("", "can't be imported"),
    "syntax error": ("def", "SyntaxError"),
    "raises on import": ("raise OSError('no data')", "no data"),
    "exits on import": ("import sys; sys.exit(3)", "exits the interpreter"),
    "no such class": ("x = 1", "Mine"),
    "a function": ("def Mine(*args): pass", "must be a frozen dataclass that inherits"),
    "another class": ("class Mine: pass", "must be a frozen dataclass that inherits"),
    "not decorated": (source(head="class Mine(Optim):\n"), "must be a frozen dataclass"),
    "not frozen": (source(head="@dataclass\nclass Mine(Optim):\n"), "non-frozen"),
    "a setting that is a tensor": (source(fields="w: float = field(default_factory=lambda: "
                                          "torch.ones(2))"), "optim.w is tensor"),
    "a per-run text": (source(fields="w: str = field(default='a', metadata=PER_RUN)"),
                       "must be a finite number"),
    "no init": (source(init="raise NotImplementedError"), "init(params_P, shapes) fails"),
    "state is a list": (source(init="return [params_P]"), "must be a dict of tensors"),
    "state holds numbers": (source(init="return {'v': 0.0}"), "must be a tensor"),
    "state not finite": (source(init="return {'v': params_P / 0}"), "not finite"),
    "wrong signature": (source(signature="def update(self, params_P, grad_P, state):\n"),
                        "update(params_P, grad_P, state, shapes, step, *, lr, weight_decay) fails"),
    "a rate that it does not take": (source(fields="w: float = field(default=1.0, metadata=RATE)"),
                                     "unexpected keyword argument 'w'"),
    "raises": (source(update="return params_P @ grad_P[:3], state"), "fails (RuntimeError"),
    "gives parameters alone": (source(update="return params_P - lr * grad_P"),
                               "must give (params_P, state)"),
    "gives None": (source(update="return None"), "must give (params_P, state)"),
    "wrong shape": (source(update=new(params="(params_P - lr * grad_P)[:-1]")), "has shape"),
    "wrong dtype": (source(update=new(params="(params_P - lr * grad_P).double()")), "float64"),
    "not finite": (source(update=new(params="params_P / 0")), "not finite after a step"),
    "state of another shape": (source(update=new("{'v': grad_P.sum()}")), "'v' has shape"),
    "state lost": (source(update=new("{}")), "update's state has nothing, must have v"),
    "state renamed": (source(update=new("{'w': grad_P}")), "has w, must have v"),
    "in place": (source(update="params_P -= lr * grad_P\nreturn params_P, state"),
                 "writes to its arguments"),
    "state in place": (source(update="state['v'].add_(grad_P)\nreturn params_P - lr * state['v'],"
                              " state"), "writes to its arguments"),
    "never moves": (source(update=new(params="params_P * 1")), "leaves the parameters as they are"),
    "random": (source(update=new(params="params_P - lr * torch.rand_like(grad_P)")),
               "no randomness"),
    "remembers": (source(update="CALLS.append(1)\nreturn params_P - len(CALLS) * lr * grad_P, state"),
                  "no state of its own"),
    "branches on a value": (source(update="if grad_P.norm() > 1: grad_P = grad_P / 2\n" + new()),
                            "fails under vmap"),
    "item": (source(update="n = grad_P.norm().item()\n" + new(params="params_P - lr * grad_P / n")),
             "fails under vmap"),
    "branches on the step": (source(update="if step > 10: lr = lr / 2\n" + new()),
                             "fails under vmap"),
    "another device": (source(update=new(params="params_P - lr * grad_P * torch.ones("
                                         "grad_P.shape)")), "meets the parameters' device"),
    "detours over numpy": (source(update="g = torch.from_numpy(grad_P.numpy())\n"
                                  + new(params="params_P - lr * g")), "fails under vmap"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "verb"), [(k, "submit" if i % 4 else "plan") for i, k in enumerate(BROKEN)]
)
def test_a_broken_optimiser_is_one_line_and_nothing_is_written(
    kind, verb, store, tiny, sweep_file, capsys
):
    text, words = BROKEN[kind]
    name = f"broken_{list(BROKEN).index(kind)}"  # a process imports a name once
    if text:
        Path(f"{name}.py").write_text(text)
    _group("mine", f"{{_target_: {name}.Mine, lr: 0.01}}")
    before = sorted(Path().rglob("*"))
    with pytest.raises(SystemExit) as end:
        main([verb, "small", *(w for w in tiny if not w.startswith("optim.")), "optim=mine"])
    said = capsys.readouterr()
    assert end.value.code == 2
    assert said.err.count("\n") == 1 and words in said.err, said.err
    assert "optim" in said.err and said.out == ""
    after = [p for p in sorted(Path().rglob("*")) if "__pycache__" not in p.parts]
    assert after == before and not store.exists()


def _group(name: str, text: str) -> None:
    path = Path(f"conf/optim/{name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_the_example_trains_and_its_rates_share_a_pack(store, tiny, sweep_file):
    """Two peak rates and two rates of its own in one pack; its source is part of the identity."""
    example = ast.get_docstring(ast.parse(Path(optimizer.__file__).read_text()))
    lines = [line[4:] if line.startswith("    ") else "" for line in example.splitlines()]
    Path("heavy.py").write_text("\n".join(lines) + "\n")
    _group("ball", "{_target_: heavy.HeavyBall, lr: 0.01, momentum: 0.8}")
    words = [w for w in tiny if not w.startswith("optim.")]
    words = ["small", *words, "optim=ball", "optim.lr=0.01,0.02", "model.depth=1", "seed=0"]
    assert orchestrator("submit", *words).returncode == 0
    sweep = read_sweep(open_store(), "small")
    assert len(sweep.members) == 4 and len({m.pack_id for m in sweep.members.values()}) == 1
    lines = ["# a comment trains nothing anew", *lines]
    Path("heavy.py").write_text("\n".join(lines) + "\n")
    assert "4 completed" in orchestrator("plan", *words).stdout
    Path("heavy.py").write_text("\n".join(lines).replace("+ grad_P", "+ 2 * grad_P"))
    said = orchestrator("plan", *words).stdout
    assert "heavy (optimizer)" in said and "4 changed" in said
    Path("heavy.py").unlink()  # records are read without it
    assert orchestrator("collect", "small").returncode == 0
    table = pd.read_parquet("results/small/table.parquet")
    assert set(table["optimizer"]) == {"HeavyBall"} and set(table["lr"]) == {0.01, 0.02}
