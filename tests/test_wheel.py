"""A built wheel carries conf and sweeps: the verbs work from it in any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_plan_demo_works_from_a_wheel_in_an_empty_folder(tmp_path):
    pytest.importorskip("hatchling")
    wheels, site, empty = tmp_path / "wheels", tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    offline = ["--no-deps", "--no-index"]
    subprocess.run(
        [*pip, "wheel", *offline, "--no-build-isolation", "-w", str(wheels), str(ROOT)], check=True
    )
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", *offline, "--target", str(site), str(wheel)], check=True)
    code = (
        "import orchestrator, sys; assert sys.argv[1] in orchestrator.__file__\n"
        "from orchestrator.cli import main; main(['plan', 'demo'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(site)], cwd=empty, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "sweep demo: 84 runs (84 new)" in done.stdout
    assert os.listdir(empty) == []
