"""Promises kept as a user sees them: a fresh folder, the command line, what is printed and what is written.

Nothing here knows the code's insides, so that each test can be run against any version of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

TINY = [
    "model.width=16", "task=recall", "task.pairs=2", "task.queries=2", "task.keys=6",
    "task.values=6", "budget.steps=12", "budget.batch=8", "budget.evals=3",
    "budget.eval_sequences=64", "optim.warmup=4", "execution.compile=off", "cluster.processes=1",
]  # fmt: skip
OWN = [w for w in TINY if not w.startswith("task")]
TASK = """
import math
from dataclasses import dataclass
import torch
from orchestrator import prng

@dataclass(frozen=True)
class Mine:
    size: int = 6

    name = "mine"
    version = 1
    vocab = 7
    length = 5
    scored = slice(4, 5)
    chance = 1 / 7
    chance_loss = math.log(7)

    def batch(self, seed, step, size):
        tokens = prng.integers((seed, step, 1), (size, 5), 7, seed.device)
        return tokens, tokens[:, :1]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with a store in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(tmp_path / "runs"))
    Path("sweeps").mkdir()
    return tmp_path


def call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=300, check=False
    )


def done(*words: str) -> str:
    """What a command that must succeed prints."""
    finished = call(*words)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def refused(*words: str) -> str:
    """The one line of a command that must be refused, having written nothing."""
    before = sorted(p for p in Path().rglob("*") if "__pycache__" not in p.parts)
    finished = call(*words)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert finished.stdout == "" and finished.stderr.count("\n") == 1, finished.stderr
    assert before == sorted(p for p in Path().rglob("*") if "__pycache__" not in p.parts)
    return finished.stderr


def sweep(
    params: str, law: str = "{name: gamma_star, metric: val_loss}", name: str = "mine"
) -> str:
    Path(f"sweeps/{name}.yaml").write_text(
        f"defaults: [config, _self_]\nsweep: {{law: {law}}}\n"
        f"hydra: {{sweeper: {{params: {{{params}}}}}}}\n"
    )
    return name


def planned(*words: str) -> dict:
    return json.loads(done("orchestrator", "plan", *words, "--json"))


def own_task(source: str) -> str:
    """A module that holds a task, and the word that chooses it."""
    Path("mine.py").write_text(source)
    Path("conf/task").mkdir(parents=True, exist_ok=True)
    Path("conf/task/mine.yaml").write_text("_target_: mine.Mine\n")
    return "task=mine"


def test_an_edited_part_is_trained_again(folder):
    words = [sweep("seed: '0,1'"), *OWN, own_task(TASK)]
    done("orchestrator", "submit", *words)
    assert planned(*words)["counts"] == {"completed": 2}
    Path("mine.py").write_text(TASK.replace("tokens[:, :1]", "tokens[:, 1:2]"))
    plan = planned(*words)
    assert len(plan["to_train"]) == 2 and "mine (task)" in json.dumps(plan["changed"])
    Path("mine.py").write_text(TASK.replace("import math", "# a comment\nimport math"))
    assert planned(*words)["counts"] == {"completed": 2}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("tokens[:, :1]", "tokens[:, :3]", "targets are (8, 3), must be (8, 1)"),
     ("(size, 5)", "(size, 6)", "tokens are (8, 6), must be (8, 5)"),
     ("return tokens, tokens[:, :1]", "return tokens.int(), tokens[:, :1].int()",
      "tokens are torch.int32, must be torch.int64"),
     ("    version = 1\n", "", "lacks version")],
)  # fmt: skip
def test_a_task_of_wrong_batches_is_refused(folder, old, new, words):
    assert TASK.count(old) == 1
    own = own_task(TASK.replace(old, new))
    assert words in refused("orchestrator", "train", *OWN, own)


def test_a_later_law_is_refused_and_a_wrong_one_never_planned(folder):
    words = [sweep("seed: 0"), *TINY]
    done("orchestrator", "submit", *words)
    sweep("seed: 0", "{name: gamma_star, metric: accuracy}")
    line = refused("orchestrator", "submit", *words)
    assert "sweep.law.metric=accuracy (frozen: val_loss)" in line and "--new-law" in line
    for law, what in (
        ("{name: gama_star}", "sweep.law.name=gama_star"), ("{metric: val_los}", "val_los"),
        ("{foo: 3}", "sweep.law.foo"), ("{tuning_seed: 3}", "tuning_seed"),
    ):  # fmt: skip
        assert what in refused("orchestrator", "plan", sweep("seed: 0", law, "other"), *TINY)


def test_a_store_is_collected_though_a_users_module_is_gone(folder):
    done("orchestrator", "submit", sweep("seed: 0"), *OWN, own_task(TASK))
    Path("mine.py").unlink()
    done("orchestrator", "collect")
    (table,) = Path("results").rglob("table.parquet")
    assert list(pd.read_parquet(table)["task"]) == ["mine"]
    done("orchestrator", "status")


@pytest.mark.parametrize("verb", ["plan", "submit"])
def test_another_launcher_is_refused(folder, verb):
    line = refused("orchestrator", verb, sweep("seed: 0"), *TINY, "hydra/launcher=basic")
    assert "hydra/launcher=basic" in line and "cluster=" in line


@pytest.mark.parametrize(
    "words",
    [["~model"], ["hydra.sweep.dir=elsewhere"], ["model.momentum.arm=foo,bar"],
     ["cluster.processes=1,2"], ["execution.checkpoint_s=1,2"]],
    ids=str,
)  # fmt: skip
def test_a_word_without_effect_is_refused(folder, words):
    small = [w for w in TINY if w.partition("=")[0] not in words[0]]
    assert words[0].partition("=")[0].lstrip("~") in refused(
        "orchestrator", "plan", sweep("seed: 0"), *small, *words
    )


def test_a_compiler_that_builds_nothing_costs_a_warning(folder, monkeypatch):
    Path("c++").write_text(
        "#!/bin/sh\necho 'train.cpp:1: error: no __builtin_shuffle' >&2; exit 1\n"
    )
    os.chmod("c++", 0o755)
    monkeypatch.setenv("CXX", str(folder / "c++"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    finished = call("orchestrator", "train", *TINY, "execution.native=auto")
    assert finished.returncode == 0 and "completed" in finished.stdout, finished.stderr
    warned = [line for line in finished.stderr.splitlines() if "__builtin_shuffle" in line]
    assert len(warned) == 1


def test_a_tuned_arm_of_any_name_is_that_arm(folder):
    """From the tuning sweep to the second stage's table: fresh seeds of the very same arms."""
    Path("sweeps/first.yaml").write_text(
        "defaults: [config, _self_]\n"
        "sweep: {law: {name: gamma_star, metric: val_loss}}\n"
        "hydra: {sweeper: {params: {model.depth: 1, model.momentum.gamma: '0,0.1,0.4', seed: 5,\n"
        "  optim.lr: '1e-3,2e-3'}, grids: [\n"
        "    {model.momentum.arm: \"'my arm, no. 2'\", model.momentum.streams: k},\n"
        "    {model.momentum.arm: key_only, model.momentum.norm: matched}]}}\n"
    )
    done("orchestrator", "submit", "first", *TINY)
    done("orchestrator", "collect", "first")
    table = "results/first/table.parquet"
    Path("sweeps/second.yaml").write_text(
        done("analysis", "tune", table, "--seeds", "0", "--points", "5")
    )
    plan = planned("second", *TINY)
    assert plan["counts"]["completed"] == 12 and plan["counts"]["new"] == plan["runs"] - 12 > 0
    done("orchestrator", "submit", "second", *TINY)
    done("orchestrator", "collect", "second")
    rows = pd.read_parquet("results/second/table.parquet")
    fresh = rows[rows["seed"] < 2]
    made = set(
        fresh[["arm", "model.momentum.streams", "model.momentum.norm"]].itertuples(
            index=False, name=None
        )
    )
    assert made == {("my arm, no. 2", "k", "raw"), ("key_only", "qk", "matched")}
