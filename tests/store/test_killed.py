"""A few of the cases of killed.py, by chance; `retry --replan` among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("words", "cases"), [((), 6), (("--verb", "replan"), 4)])
def test_killed_or_refused_at_a_write_it_ends_in_the_same_table(words, cases):
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.killed", f"--cases={cases}", "--seed=2", *words],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert f"{cases} cases" in done.stdout
