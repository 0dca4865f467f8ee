"""Faults that were there, each as it was met: a task named by a group file of one's own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import orchestrator
from tests.parts.broken import TARGETS, TASK

SHORT = ["task=mine", "budget.steps=3", "budget.eval_sequences=64", "budget.evals=2"]


@pytest.fixture
def task(store) -> Path:
    """The file of a task that conf/task/mine.yaml names."""
    Path("conf/task").mkdir(parents=True)
    Path("conf/task/mine.yaml").write_text("_target_: own.Part\nkind: 2\n")
    Path("own.py").write_text(TASK)
    return Path("own.py")


def test_a_store_is_collected_though_one_users_module_is_missing(task):
    assert orchestrator("train", *SHORT).returncode == 0
    assert orchestrator("train", *SHORT[1:]).returncode == 0
    task.unlink()
    done = orchestrator("collect")
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet("results/all/table.parquet")
    assert set(table["task"]) == {"mine", "recall"} and set(table["status"]) == {"completed"}


@pytest.mark.parametrize("native", ["on", "off"])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (TARGETS, "targets = tokens[:, :3]", "targets are (64, 3), must be (64, 2)"),
        (TARGETS, "targets = tokens[:, :1]", "targets are (64, 1), must be (64, 2)"),
        ("(size, 6)", "(size, 7)", "tokens are (64, 7), must be (64, 6)"),
        (TARGETS, "targets = tokens[:, :2].int()", "targets are torch.int32"),
        ("    version = 1\n", "", "lacks version"),
    ],
    ids=["wide", "short", "length", "int32", "version"],
)
def test_no_training_on_what_is_not_as_the_task_says(task, old, new, words, native):
    task.write_text(TASK.replace(old, new))
    done = orchestrator("train", *SHORT, f"execution.native={native}")
    assert done.returncode == 2, done.stdout
    assert words in done.stderr and done.stderr.count("\n") == 1


def test_an_edited_task_trains_anew(task):
    assert orchestrator("train", *SHORT).returncode == 0
    task.write_text(TASK.replace("vocab = 7", "vocab = 8"))
    planned = orchestrator("train", *SHORT)
    assert planned.returncode == 0 and "to train: 1 runs" in planned.stderr, planned.stderr
    assert "changed: own (task)" in planned.stderr
