"""Reading records runs nobody's code: a user's module may be gone, broken, or another's."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.records.store import open_store
from tests.conftest import orchestrator
from tests.parts.broken import MODEL, TASK

SHORT = ["budget.steps=3", "budget.eval_sequences=64", "budget.curve_sequences=null",
         "execution.compile=off"]  # fmt: skip
READERS = [
    ("collect",), ("collect", "train"), ("status",), ("status", "--json"), ("logs", "RUN"),
    ("export", "train"),
]  # fmt: skip


@pytest.fixture
def trained(store) -> str:
    """A run with a task and a model of one's own; its id."""
    Path("own.py").write_text(TASK + MODEL.replace("class Part", "class Net"))
    words = ["task._target_=own.Part", "task.kind=2", "model._target_=own.Net", "model.width=12"]
    done = orchestrator("train", *words, *SHORT)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1].rstrip(":")


@pytest.mark.parametrize("text", [None, "open('opened', 'w')\nraise SystemExit(3)\n"],
                         ids=["gone", "replaced"])  # fmt: skip
def test_records_are_read_without_importing_parts(trained, text):
    if text is None:
        Path("own.py").unlink()
    else:
        Path("own.py").write_text(text)
    for words in READERS:
        done = orchestrator(*(trained if w == "RUN" else w for w in words))
        assert done.returncode == 0, (words, done.stderr)
    assert not Path("opened").exists()
    row = pd.read_parquet("results/all/table.parquet").iloc[0]
    assert (row["task"], row["arm"], row["chance"], row["width"]) == ("mine", "Net", 1 / 7, 12)
    assert row["task.kind"] == 2 and row["model._target_"] == "own.Net"
    assert row["params"] == 7 * 12 + (12 * 12 * 3 + 12) + (12 * 7 + 7)
    assert row["params_non_embedding"] == 12 * 12 * 3 + 12
    # probe needs the parts, and can open our transformer alone
    probed = orchestrator("probe", trained)
    assert probed.returncode == 2 and probed.stderr.count("\n") == 1
    assert "its model is own.Net; probe opens our own alone" in probed.stderr
    assert not Path("opened").exists()


def test_a_pack_from_before_facts_were_kept_is_collected(trained):
    (path,) = open_store().packs.glob("*/pack.json")
    pack = json.loads(path.read_text())
    del pack["facts"], pack["versions"]["own"]
    path.write_text(json.dumps(pack) + "\n")
    Path("own.py").unlink()
    done = orchestrator("collect", "train")
    assert done.returncode == 0, done.stderr
    row = pd.read_parquet("results/train/table.parquet").iloc[0]
    assert row["run_id"] == trained and row["status"] == "completed" and row["task"] == "Part"
    assert pd.isna(row["chance"]) and pd.isna(row["params"])
