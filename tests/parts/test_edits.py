"""An edited part trains anew; a pack that was frozen before is not gone on with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.launch.worker import command
from orchestrator.records.attempts import attempts, results
from orchestrator.records.packs import all_packs
from orchestrator.records.store import open_store
from orchestrator.settings import Settings
from tests.conftest import orchestrator

OPERATOR = """
import os, sys
from pathlib import Path
from orchestrator.models.momentum import causal_filter

def op(z, taps):
    if 'worker' in sys.argv[0] and Path('fail').exists():
        raise RuntimeError('no luck today')
    return causal_filter(z, taps)
"""
WORDS = ["model.momentum.operator=mine.op", "model.depth=1", "seed=0"]


@pytest.fixture
def submitted(sweep_file, tiny) -> list[str]:
    """A sweep of two runs with an operator of one's own, trained."""
    Path("mine.py").write_text(OPERATOR)
    words = ["small", *tiny, *WORDS]
    done = orchestrator("submit", *words)
    assert done.returncode == 0, done.stderr
    return words


def edit(text: str) -> None:
    Path("mine.py").write_text(text)


def test_what_plan_and_submit_say_of_an_edit(submitted):
    edit(OPERATOR.replace("def op", "# better said\n\ndef op"))
    assert "nothing to train" in orchestrator("submit", *submitted).stderr
    edit(OPERATOR.replace("causal_filter(z, taps)", "1.01 * causal_filter(z, taps)"))
    plan = orchestrator("plan", *submitted)
    assert "2 runs (2 changed)" in plan.stdout
    assert "2 of them were trained by an earlier version; changed: mine (operator)" in plan.stdout
    planned = json.loads(orchestrator("plan", *submitted, "--json").stdout)
    assert planned["changed"] == {"mine (operator)": 2}
    anew = orchestrator("submit", *submitted)
    assert anew.returncode == 0 and "changed: mine (operator)" in anew.stderr
    assert "to train: 2 runs" in anew.stderr
    assert "nothing to train" in orchestrator("submit", *submitted).stderr
    store = open_store()
    losses = [
        row["val_loss"]
        for pack in all_packs(store)
        for row in results(attempts(store, pack.pack_id)).values()
    ]
    assert len(losses) == 4 and len(set(losses)) == 4
    edit(OPERATOR)  # and back: what it trained then is still there
    assert "nothing to train" in orchestrator("submit", *submitted).stderr


def test_a_pack_frozen_before_an_edit_is_refused_in_one_line(sweep_file, tiny):
    Path("mine.py").write_text(OPERATOR)
    Path("fail").touch()
    words = ["small", *tiny, *WORDS, "execution.retries=0"]
    assert orchestrator("submit", *words).returncode == 1
    edit(OPERATOR.replace("causal_filter(z, taps)", "1.01 * causal_filter(z, taps)"))
    Path("fail").unlink()
    retried = orchestrator("retry", "small")
    assert retried.returncode == 2 and retried.stderr.count("\n") == 1, retried.stderr
    assert "edited since: mine (operator); submit again" in retried.stderr
    (pack,) = all_packs(open_store())
    assert len(attempts(open_store(), pack.pack_id)) == 1
    job = subprocess.run(
        [*command(open_store(), Settings(), "small"), pack.pack_id],
        capture_output=True,
        check=False,
    )
    end = attempts(open_store(), pack.pack_id)[-1].end()
    assert job.returncode == 1 and end["status"] == "failed"
    assert "was frozen before a change (mine (operator)): submit again" in end["error"]
    edit(OPERATOR)
    assert orchestrator("retry", "small").returncode == 0


def test_a_worker_imports_from_the_submissions_folder(sweep_file, tiny):
    """Whatever folder a node starts it in, and whatever lies there under the same name."""
    Path("mine.py").write_text(OPERATOR)
    Path("fail").touch()
    assert orchestrator("submit", "small", *tiny, *WORDS).returncode == 1
    Path("fail").unlink()
    (manifest,) = (open_store().sweeps / "small").glob("[0-9]*.json")
    execution = json.loads(manifest.read_text())["settings"]["execution"]
    assert execution["parts"] == str(Path.cwd())
    (pack,) = all_packs(open_store())
    elsewhere = Path("elsewhere").absolute()
    elsewhere.mkdir()
    (elsewhere / "mine.py").write_text("raise RuntimeError('the wrong file')\n")
    code = (
        "import json, sys\n"
        "from orchestrator.launch.worker import run\n"
        "from orchestrator.records.store import open_store\n"
        "from orchestrator.settings import Execution\n"
        "execution = Execution(**json.loads(sys.argv[1]))\n"
        "sys.exit(run(open_store(), [sys.argv[2]], execution, lambda: False))\n"
    )
    words = [sys.executable, "-P", "-c", code, json.dumps(execution), pack.pack_id]
    done = subprocess.run(words, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
