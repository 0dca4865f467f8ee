"""An archive holds what regenerates a sweep, is the same every time, and names no machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import analysis
from orchestrator.config import run_config
from tests.conftest import orchestrator


@pytest.fixture
def collected(sweep_file, tiny) -> list[str]:
    words = [*tiny, "execution.parts=/shared/me/parts", "+tracking.entity=somebody"]
    assert orchestrator("submit", "small", *words).returncode == 0
    assert orchestrator("collect", "small").returncode == 0
    return words


def unpack(path: str) -> Path:
    with tarfile.open(path) as tar:
        tar.extractall("out", filter="data")
    return Path("out/small")


def test_the_archive_regenerates_the_sweep(store, collected):
    done = orchestrator("export", "small")
    assert done.returncode == 0 and done.stdout.strip() == "results/small.tar.gz", done.stderr
    folder = unpack(done.stdout.strip())
    assert len(analysis.load(folder / "table.parquet").runs) == 8
    rows = [json.loads(line) for line in (folder / "configs.jsonl").read_text().splitlines()]
    assert all(run_config(r["config"]).run_id == r["run_id"] for r in rows) and len(rows) == 8
    (submission,) = map(json.loads, (folder / "submissions.jsonl").read_text().splitlines())
    assert "model.width=16" in submission["overrides"] and "torch" in submission["packages"]
    assert OmegaConf.load(folder / "CITATION.cff")["cff-version"] == "1.2.0"
    assert "8 runs" in (folder / "README.md").read_text()
    overrides = submission["overrides"]
    again = orchestrator("plan", str(folder / "sweeps/small.yaml"), *overrides, "--json")
    assert again.returncode == 0 and json.loads(again.stdout)["counts"] == {"completed": 8}
    for path in folder.rglob("*.*"):
        text = path.read_bytes()
        assert not any(w in text for w in (b"/shared/me", b"somebody", str(store.parent).encode()))


def test_the_same_records_give_the_same_bytes(collected):
    orchestrator("export", "small")
    orchestrator("export", "small", "--out", "elsewhere/a.tgz")
    assert Path("elsewhere/a.tgz").read_bytes() == Path("results/small.tar.gz").read_bytes()


def test_what_names_this_machine_is_refused(collected, sweep_file, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    text = sweep_file.read_text()
    for words, why in (("0123456789abcdef", "a secret"), (f"{Path.cwd()}/x", "a folder of this")):
        sweep_file.write_text(f"# {words}\n{text}")
        refused = orchestrator("export", "small")
        assert refused.returncode == 2 and why in refused.stderr and "small.yaml" in refused.stderr
        assert "0123456789abcdef" not in refused.stderr
    assert not Path("results/small.tar.gz").exists()


def test_export_needs_a_collected_sweep_and_no_torch(sweep_file, tiny):
    missing = orchestrator("export", "nothing")
    assert missing.returncode == 2 and "not submitted yet" in missing.stderr
    assert orchestrator("submit", "small", *tiny).returncode == 0
    early = orchestrator("export", "small")
    assert early.returncode == 2 and "orchestrator collect small" in early.stderr
    assert orchestrator("collect", "small").returncode == 0
    code = (
        "import sys; from orchestrator.cli import main\n"
        "try: main(['export', 'small'])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "assert not {'torch', 'lightning', 'wandb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
