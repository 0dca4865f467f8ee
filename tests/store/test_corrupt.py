"""A few of the cases of corrupt.py, by chance."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_damaged_records_cost_what_they_held_and_nothing_else():
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.corrupt", "--cases", "12", "--seed", "5"],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "12 cases" in done.stdout
