"""The command for the first GPU, without one: pieces are kept, a later call goes on, the page has them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = ["--device", "cpu", "--small"]


def first(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.gpu", "--folder", str(folder), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_pieces_are_kept_and_gone_on_from(tmp_path):
    done = first(tmp_path, *HERE, "--only", "machine,resumption")
    assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stderr
    before = json.loads((tmp_path / "gpu.json").read_text())
    assert before["resumption"]["equal"] and before["resumption"]["attempts"] > 1
    late = first(tmp_path, *HERE, "--minutes", "-1", "--only", "machine,language")
    assert "left: language; run it again" in late.stdout
    assert first(tmp_path, *HERE, "--only", "machine,language").returncode == 0
    after = json.loads((tmp_path / "gpu.json").read_text())
    assert after["machine"] == before["machine"] and after["language"]["tokens_s"] > 0
    said = (tmp_path / "gpu.md").read_text()
    assert "no number here is a result" in said and "attempts" in said and "not yet" in said


@pytest.mark.slow
def test_what_can_not_be_asked_is_refused(tmp_path):
    unknown = first(tmp_path, *HERE, "--only", "speed")
    assert unknown.returncode == 2 and "no such piece; there are: machine" in unknown.stderr
    assert first(tmp_path, *HERE, "--only", "machine").returncode == 0
    other = first(tmp_path, "--device", "cpu", "--only", "machine")
    assert other.returncode == 2 and "give another --folder" in other.stderr
