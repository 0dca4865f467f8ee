"""docs/parts.md is true: its parts pass their trials, and its sweep goes through every verb."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

DOCS = Path(__file__).parents[2] / "docs" / "parts.md"
TEXT = DOCS.read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def written(store) -> Path:
    """The example's files in the working folder."""
    Path("parts.py").write_text("\n".join(blocks("python")))
    Path("sweeps").mkdir()
    (sweep,) = blocks("yaml")
    Path("sweeps/mamba.yaml").write_text(sweep)
    return store


def run(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """A console script as a user runs it, whose path is not the folder one stands in."""
    script = Path(sys.executable).with_name(words[0])
    done = subprocess.run([script, *words[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_the_model_is_at_most_40_lines():
    (model,) = [b for b in blocks("python") if "class Mamba" in b]
    assert len([line for line in model.splitlines() if line.strip()]) <= 40


def test_a_model_and_a_task_of_ones_own_swept_over_depth(written):
    (commands,) = blocks("console")
    for line in commands.splitlines():
        if line.startswith("orchestrator submit"):
            continue
        if line.startswith("orchestrator collect"):
            submitted = run("orchestrator", "submit", "mamba", "cluster.processes=2")
            assert "to train: 6 runs in 3 packs" in submitted.stderr
            # what reads records runs nobody's code: the parts may be gone
            Path("parts.py").rename("away.py")
        run(*line.split())
    table = pd.read_parquet("results/mamba/table.parquet")
    assert sorted(table["depth"]) == [1, 1, 2, 2, 4, 4] and set(table["width"]) == {16}
    assert set(table["task"]) == {"copy"} and set(table["arm"]) == {"Mamba"}
    assert table["gamma"].isna().all() and set(table["status"]) == {"completed"}
    assert "model.momentum.gamma" not in table or table["model.momentum.gamma"].isna().all()
    assert set(table["chance"]) == {1 / 8} and set(table["tokens_per_step"]) == {16 * 7}
    # counted by hand: a layer's norm, products and convolution, the outer norm, embedding, head
    layer = 16 + 16 * (16 + 16 + 16 + 16 + 1) + 16 * 3 + 16 + 16 * 16
    for depth, part in table.groupby("depth"):
        assert set(part["params_non_embedding"]) == {depth * layer + 16}
        assert set(part["params"]) == {depth * layer + 16 + 2 * 8 * 16}
        products = 2 * 7 * 16 * 65 + 2 * 7 * 16 * 3 + 2 * 7 * 7 * 16 * 2 + 2 * 7 * 16 * 16
        forward = depth * products + 2 * 7 * 16 * 8
        assert set(part["flops"]) == {3 * 16 * 60 * forward}
        assert part["val_loss"].nunique() == 2  # seeds differ, by their weights and their batches
    assert list(Path("figures").glob("*.png"))
    again = json.loads(run("orchestrator", "status", "mamba", "--json").stdout)
    assert again[0]["counts"] == {"completed": 6}


@pytest.mark.parametrize(
    "words",
    [
        ["task._target_=parts.Copy", "task.size=5"],
        ["model.momentum.operator=parts.shear", "model.momentum.gamma=0.5"],
        ["model.attention=parts.linear_attention"],
    ],
    ids=lambda w: w[0],
)
def test_each_part_trains_from_the_console_script(written, words):
    for word in words:
        assert word in TEXT
    done = run("orchestrator", "train", *words, "budget.steps=3", "execution.checkpoint_s=1")
    assert "completed" in done.stdout


def test_our_operator_by_hand_is_our_operator(written, tiny):
    """The example's shear gives the losses of ours."""
    words = [*tiny, "execution.native=off", "model.momentum.gamma=0.7"]
    ours = run("orchestrator", "train", *words).stdout.partition("completed")[2]
    theirs = run("orchestrator", "train", *words, "model.momentum.operator=parts.shear").stdout
    assert ours and ours == theirs.partition("completed")[2]
    assert os.listdir("..")
