"""Naming a part starts from its own defaults; what the user sets stays, wherever it stands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.launch.multirun import run_hydra
from orchestrator.launch.sweeps import shipped
from tests.parts.broken import MODEL, TASK

PARTS = TASK.replace(
    "kind: int = 3", "kind: int = 3\n    pairs: int = 9\n    word: str = 'a'"
) + MODEL.replace("class Part", "class Net")


@pytest.fixture
def parts(store, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("named", None)
    Path("named.py").write_text(PARTS)


def composed(*words: str, sweep: str | None = None) -> list:
    """The runs that a sweep file (or none) and overrides make."""
    path = shipped("conf") / "config.yaml"
    if sweep is not None:
        path = Path("mine.yaml")
        path.write_text(sweep)
    found: list = []
    run_hydra(path, list(words), lambda batch: found.extend(e.run for e in batch))
    return found


def test_the_groups_fields_are_dropped_and_the_users_kept(parts):
    (run,) = composed("task._target_=named.Part", "task.kind=5")
    assert (run.task.kind, run.task.pairs, run.task.word) == (5, 9, "a")
    (run,) = composed("task.pairs=4", "task._target_=named.Part")  # recall's own default
    assert run.task.pairs == 4
    (run,) = composed("task=induction", "task._target_=named.Part", "+task.word=b")
    assert (run.task.word, run.task.pairs) == ("b", 9)
    (run,) = composed("model._target_=named.Net", "model.width=24")
    assert (run.model.width, run.model.depth) == (24, 1) and run.arm == "Net"
    (run,) = composed("model._target_=named.Net")
    assert run.model.width == 8  # its own default, not tiny's


def test_one_of_ours_by_its_target(parts):
    (run,) = composed("task._target_=orchestrator.tasks.hops.Hops", "task.hops=3")
    (same,) = composed("task=hops", "task.hops=3")
    assert run.run_id == same.run_id
    ours = "model._target_=orchestrator.models.transformer.Transformer"
    (run,) = composed(ours, "model.depth=2", "model/momentum=key_only")
    (same,) = composed("model.depth=2", "model/momentum=key_only")
    assert run.run_id == same.run_id and "model._target_" not in run.leaves()


def test_in_a_sweeps_params_and_grids(parts):
    runs = composed(
        sweep="""
defaults: [config, _self_]
hydra:
  sweeper:
    params: {seed: "0,1"}
    grids:
      - {task._target_: named.Part, task.kind: "1,2", model._target_: named.Net, model.depth: "1,2"}
      - {task.pairs: 3, task.queries: 2}
"""
    )
    assert len(runs) == 2 * 2 * 2 + 2
    mine = [r for r in runs if r.arm == "Net"]
    assert {(r.task.kind, r.model.depth, r.seed) for r in mine} == {
        (k, d, s) for k in (1, 2) for d in (1, 2) for s in (0, 1)
    }
    assert {r.task.pairs for r in mine} == {9}
    assert {r.task.pairs for r in runs if r.arm == "raw"} == {3}


def test_in_a_sweeps_file(parts):
    sweep = """
defaults: [config, _self_]
task: {_target_: named.Part, kind: 7}
model: {_target_: named.Net}
"""
    (run,) = composed("task.word=c", sweep=sweep)
    assert (run.task.kind, run.task.pairs, run.task.word) == (7, 9, "c")
    assert run.model.width == 8
    runs = composed("model.width=8,16", "task.pairs=1,2", sweep=sweep)
    assert {(r.model.width, r.task.pairs) for r in runs} == {(8, 1), (8, 2), (16, 1), (16, 2)}


def test_a_group_of_ones_own(parts):
    Path("conf/task").mkdir(parents=True)
    Path("conf/task/mine.yaml").write_text("_target_: named.Part\nkind: 4\n")
    (run,) = composed("task=mine")
    assert (run.task.kind, run.task.pairs) == (4, 9)
    (run,) = composed("task=mine", "task.kind=1")
    assert run.task.kind == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["task._target_=named.Part", "task.knd=5"],
         "task.knd: no such setting (did you mean task.kind?)"),
        (["task._target_=named.Part", "task.queries=5"], "task.queries: no such setting"),
        (["task._target_=named.Part", "task.kind=x"], "task.kind=x: must be an integer"),
        (["model._target_=named.Net", "model.widht=5"],
         "model.widht: no such setting (did you mean model.width?)"),
        (["model._target_=named.Net", "model.momentum.gamma=5"], "model.momentum: no such setting"),
        (["model._target_=named.Net", "model.width=wide"], "model.width=wide: must be an integer"),
        (["model._target_=named.Net", "model/momentum=raw"], "a part of your own, which has no such"),
        (["task._target_=null"], "task._target_=null: must be an import path"),
        (["task=own"], "task._target_=null: must be an import path"),
        (["model=own"], "model._target_=null: must be an import path"),
        (["model._target_=3"], "model._target_=3: must be an import path"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)  # fmt: skip
def test_wrong_words_are_one_line(parts, words, line):
    with pytest.raises(UserError) as error:
        composed(*words)
    assert line in str(error.value) and "\n" not in str(error.value)
