"""An edit of a header: no checkpoint goes on under another arithmetic, and `plan` says so first."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import orchestrator
from orchestrator.models.native.build import compiler
from tests.launch.test_sweep import METRICS, _wait_for_a_checkpoint

ROOT = Path(orchestrator.__file__).parent.parent
HEADER = "orchestrator/models/native/transformer.h"
BEFORE, AFTER = (
    "1.0f / std::sqrt(dot(x, x, E) / E + s.eps)",
    "1.000001f / std::sqrt(dot(x, x, E) / E + s.eps)",
)

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")


def test_no_checkpoint_crosses_two_arithmetics_and_plan_says_so(
    sweep_file, tiny, tmp_path, monkeypatch
):
    package = tmp_path / "package"
    for room in ("orchestrator", "hydra_plugins", "analysis", "conf", "sweeps"):
        shutil.copytree(ROOT / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(package))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    longer = [w for w in tiny if not w.startswith("budget.steps=")] + ["budget.steps=6000"]
    words = ["small", *longer, "model.depth=1", "seed=0", "execution.checkpoint_s=0.05"]

    def lab(*argv: str, store: str = "store") -> str:
        env = {**os.environ, "ORCHESTRATOR_STORE": str(tmp_path / store)}
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *argv], env=env, capture_output=True, text=True,
            check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def table(store: str) -> pd.DataFrame:
        lab("collect", "small", "--results", store, store=store)
        return (
            pd.read_parquet(f"{store}/small/table.parquet")
            .sort_values("run_id")
            .reset_index(drop=True)
        )

    command = [sys.executable, "-m", "orchestrator", "submit", *words]
    submission = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    _wait_for_a_checkpoint(submission)
    os.killpg(submission.pid, signal.SIGKILL)
    submission.wait()
    assert "half-trained" not in lab("plan", *words)

    text = (package / HEADER).read_text()
    assert BEFORE in text
    (package / HEADER).write_text(text.replace(BEFORE, AFTER))
    said = lab("plan", *words)
    assert "half-trained by other code of the same version: 1 packs" in said, said
    print(said)
    lab("submit", *words)
    lab("submit", *words, store="after")
    pd.testing.assert_frame_equal(table("store")[METRICS], table("after")[METRICS])
