"""Must-show 4 and 5, what needs no clock: who imports wandb, and that the key gets nowhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from orchestrator.errors import UserError
from orchestrator.records.attempts import attempts
from orchestrator.settings import settings
from orchestrator.tracking.limits import MOST_RUNS, require_few
from tests.tracking.compare import holds_all, no_key_under, recorded
from tests.tracking.conftest import wait_until
from tests.tracking.loopback import KEY

TINY = (
    "model.depth=1", "model.width=8", "model/momentum=raw", "seed=0", "budget.evals=6",
    "budget.eval_sequences=64", "budget.batch=8", "task.pairs=2", "task.queries=2",
    "task.keys=4", "task.values=4", "execution.compile=off", "model.momentum.gamma=0,0.5",
)  # fmt: skip
WATCH = """
import sys
from orchestrator.cli import main
try:
    main(sys.argv[1:])
except SystemExit as e:
    found = [m for m in ("wandb", "wandb_workspaces") if m in sys.modules]
    print("exit", e.code, "imported", found)
"""


@pytest.mark.parametrize(
    "words",
    [["--help"], ["plan", "demo", "tracking=wandb"], ["status", "s"], ["collect", "s"]],
    ids=" ".join,
)  # fmt: skip
def test_other_verbs_never_import_wandb(bench, words):
    bench.planned()
    out = subprocess.run(
        [sys.executable, "-c", WATCH, *words], env=bench.env, cwd=bench.folder,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "imported []" in out.stdout, out.stdout + out.stderr


@pytest.mark.slow
def test_a_real_sweep_killed_and_resumed(bench):
    """Two jobs train for real; SIGKILL; again: each step once, and the key is nowhere."""
    words = [
        "submit", "demo", "tracking=wandb", "tracking.poll_s=0.5", "tracking.nice=0", "budget.steps=200",
        "cluster.processes=1", "execution.checkpoint_s=0.2", *TINY,
    ]  # fmt: skip
    job = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *words], env=bench.env, cwd=bench.folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    bench.processes.append(job)
    wait_until(lambda: bench.store.packs.is_dir() and bool(recorded(bench.store)))
    for pack in bench.store.packs.iterdir():
        os.kill(attempts(bench.store, pack.name)[-1].claim["pid"], signal.SIGKILL)
    job.wait(240)
    again = bench.orchestrator(*words)
    assert again.returncode == 0, again.stderr
    pushed = bench.orchestrator("push", "demo")
    assert pushed.returncode == 0, pushed.stderr
    holds_all(bench.server, bench.store, "demo")
    assert bench.server.all_runs()[0]["project"] == "momentum-lab"
    no_key_under(bench.store.root, bench.folder / "tmp", bench.folder / "home")
    for run in bench.server.all_runs():
        assert KEY not in repr(run)
    assert not any(KEY.encode() in content for content in bench.server.files.values())
    assert not list(bench.folder.rglob("*.wandb"))


def test_too_many_runs_for_one_wandb_run_each():
    require_few("run", MOST_RUNS)
    require_few("pack", 10 * MOST_RUNS)
    with pytest.raises(UserError, match="tracking.granularity=run: 501 runs"):
        require_few("run", MOST_RUNS + 1)


def test_a_config_has_no_place_for_a_key():
    with pytest.raises(UserError, match=r"tracking\.api_key: no such setting"):
        settings({"tracking": {"name": "wandb", "api_key": KEY}})
    with pytest.raises(UserError) as caught:
        settings({"tracking": {"key": KEY}})
    assert KEY not in str(caught.value)


def test_switched_off_by_the_user(bench):
    """WANDB_MODE=offline: nothing is sent, no offline file is written, training goes on."""
    (pack,) = bench.planned(packs=1, runs=2)
    bench.env["WANDB_MODE"] = "offline"
    job = bench.job([pack], pace_s=0.002)
    out, error = job.communicate(timeout=240)
    assert job.returncode == 0 and "trained" in out
    assert error.count("W&B: ") == 1 and "WANDB_MODE=offline" in error
    assert not bench.server.all_runs() and not list(bench.folder.rglob("*.wandb"))
    pushed = bench.orchestrator("push", "s")
    assert pushed.returncode == 2 and "switched off" in pushed.stderr


def test_no_key(bench):
    """Nobody is logged in: training goes on with one warning, push says so in one line."""
    (pack,) = bench.planned(packs=1, runs=2)
    bench.env.pop("WANDB_API_KEY")
    out, error = bench.job([pack], pace_s=0.002).communicate(timeout=240)
    assert "trained" in out and error.count("push` sends what is missing") == 1, error
    pushed = bench.orchestrator("push", "s")
    assert pushed.returncode == 2 and len(pushed.stderr.splitlines()) == 1, pushed.stderr
    assert pushed.stderr.startswith("orchestrator: W&B: ")
    assert not bench.server.all_runs()
