"""Promises kept as a user sees them: a fresh folder, the command line, what is printed and what is written.

Nothing here knows the code's insides, so that each test can be run against any version of it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

import orchestrator

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


ROOMS = ("orchestrator", "hydra_plugins", "conf", "sweeps")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with a store in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(tmp_path / "runs"))
    Path("sweeps").mkdir()
    return tmp_path


@pytest.fixture
def package(folder, monkeypatch) -> Path:
    """A copy of the code, to be edited, that the command runs."""
    root = Path(orchestrator.__file__).parent.parent
    for room in ROOMS:
        shutil.copytree(
            root / room, folder / "code" / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    monkeypatch.setenv("PYTHONPATH", str(folder / "code"))
    return folder / "code" / "orchestrator"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


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


def test_runs_of_edited_code_are_told_apart(package):
    """Also where what was edited is a header of our C++."""
    words = [*TINY, "execution.native=off"]
    done("orchestrator", "train", *words)
    edit(
        package / "models/native/transformer.h",
        "std::sqrt(dot(x, x, E)",
        "std::sqrt(2 * dot(x, x, E)",
    )
    done("orchestrator", "train", *words, "seed=1")
    done("orchestrator", "collect")
    (table,) = Path("results").rglob("table.parquet")
    assert pd.read_parquet(table)["code_version"].nunique() == 2


def test_a_new_field_of_the_model_is_not_left_to_our_native_code(package):
    words = [sweep("seed: 0"), *TINY, "execution.device=cpu"]
    assert all(pack["native"] for pack in planned(*words)["packs"])
    edit(package / "config.py", "    tied_head: bool = False\n",
         "    dropout: float = 0.0\n    tied_head: bool = False\n")  # fmt: skip
    assert not any(pack["native"] for pack in planned(*words)["packs"])


def test_an_edited_part_is_trained_again(folder):
    own = own_task(TASK)
    Path("filters.py").write_text(
        "from orchestrator.models.momentum import causal_filter\n\n"
        "def op(z, taps):\n    return causal_filter(z, taps)\n"
    )
    Path("attends.py").write_text(
        "from orchestrator.models.attention import attend\n\n"
        "def attention(q, k, v):\n    return attend(q, k, v)\n"
    )
    words = [sweep("seed: 0"), *OWN, own, "model.momentum.operator=filters.op",
             "model.attention=attends.attention"]  # fmt: skip
    done("orchestrator", "submit", *words)
    said = {}
    for file, old, new in (
        ("mine.py", "tokens[:, :1]", "tokens[:, 1:2]"),
        ("filters.py", "return causal_filter", "return 1.1 * causal_filter"),
        ("attends.py", "return attend", "return 1.1 * attend"),
    ):
        edit(Path(file), old, new)
        plan = planned(*words)
        said[file] = (len(plan["to_train"]), plan.get("changed"))
        edit(Path(file), new, old)
    assert said == {
        "mine.py": (1, {"mine (task)": 1}),
        "filters.py": (1, {"filters (operator)": 1}),
        "attends.py": (1, {"attends (attention)": 1}),
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("tokens[:, :1]", "tokens[:, :3]", "targets are (8, 3), must be (8, 1)"),
     ("(size, 5)", "(size, 6)", "tokens are (8, 6), must be (8, 5)"),
     ("return tokens, tokens[:, :1]", "return tokens.int(), tokens[:, :1].int()",
      "tokens are torch.int32, must be torch.int64"),
     ("slice(4, 5)", "slice(3, 5)", "targets are (8, 1), must be (8, 2)"),
     ("    version = 1\n", "", "lacks version")],
)  # fmt: skip
def test_a_task_of_wrong_batches_is_refused(folder, old, new, words):
    assert TASK.count(old) == 1
    own = own_task(TASK.replace(old, new))
    assert words in refused("orchestrator", "train", *OWN, own)


def test_a_later_law_is_refused_and_the_first_stays_in_the_table(folder):
    words = [sweep("seed: 0"), *TINY]
    done("orchestrator", "submit", *words)
    sweep("seed: 0", "{name: gamma_star, metric: accuracy}")
    later = call("orchestrator", "submit", *words)
    done("orchestrator", "collect", "mine")
    about = json.loads(pq.read_schema("results/mine/table.parquet").metadata[b"orchestrator"])
    assert (later.returncode, about["law"]["metric"]) == (2, "val_loss")
    line = refused("orchestrator", "submit", *words)
    assert "sweep.law.metric=accuracy (frozen: val_loss)" in line and "--new-law" in line


@pytest.mark.parametrize(
    ("law", "what"),
    [("{name: gama_star}", "sweep.law.name=gama_star"), ("{metric: val_los}", "val_los"),
     ("{foo: 3}", "sweep.law.foo"), ("{tuning_seed: 3}", "tuning_seed"),
     ("{metrics: accuracy}", "sweep.law.metrics")],
)  # fmt: skip
def test_a_wrong_law_is_never_planned(folder, law, what):
    assert what in refused("orchestrator", "plan", sweep("seed: 0", law), *TINY)


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
    "word",
    ["~model", "hydra.sweep.dir=elsewhere", "model.momentum.arm=foo,bar", "cluster.processes=1,2",
     "execution.checkpoint_s=1,2"],
)  # fmt: skip
def test_a_word_without_effect_is_refused(folder, word):
    key = word.partition("=")[0].lstrip("~")
    small = [w for w in TINY if not w.startswith(key)]
    assert key in refused("orchestrator", "plan", sweep("seed: 0"), *small, word)


def test_an_optimising_sweeper_gets_its_losses(folder):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    Path("sweeps/search.yaml").write_text(
        "defaults: [config, override hydra/sweeper: optuna, _self_]\n"
        "hydra: {sweeper: {n_trials: 2, n_jobs: 2, sampler: {seed: 1},\n"
        "  params: {optim.lr: 'interval(1e-3,1e-2)'}}}\n"
    )
    done("orchestrator", "submit", "search", *TINY, "cluster.wait=true")
    done("orchestrator", "collect", "search")
    best = pd.read_parquet("results/search/table.parquet").sort_values("val_loss").iloc[0]
    (found,) = Path().rglob("optimization_results.yaml")
    found = yaml.safe_load(found.read_text())
    assert found["best_value"] == best["val_loss"]
    assert found["best_params"] == {"optim.lr": best["lr"]}
    assert not Path("multirun").exists()


def test_a_torn_measurement_does_not_break_plan(folder):
    path = folder / "runs" / "bench" / f"{platform.node()}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"host": "')
    done("orchestrator", "plan", sweep("seed: 0"), *TINY)


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


@pytest.mark.skipif(shutil.which("clang++") is None, reason="clang++: not installed here")
def test_clang_alone_trains_by_our_native_code(folder, monkeypatch):
    monkeypatch.setenv("CXX", "clang++")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    words = [*TINY, "execution.device=cpu", "execution.native=on"]
    assert "completed" in done("orchestrator", "train", *words)


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
