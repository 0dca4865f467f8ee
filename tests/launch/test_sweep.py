"""A sweep on this machine: submitted twice, extended, interrupted, trained by two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestrator.records.attempts import attempts
from orchestrator.records.packs import all_packs
from orchestrator.records.store import open_store
from tests.conftest import orchestrator

METRICS = ["val_loss", "accuracy", "eval_correct", "eval_total", "steps_to_solve", "status"]


def but(tiny: list[str], *words: str) -> list[str]:
    """The tiny sweep's overrides with others in place of those of the same key."""
    keys = {w.partition("=")[0] for w in words}
    return [*(w for w in tiny if w.partition("=")[0] not in keys), *words]


def table(results: str, sweep: str = "small") -> pd.DataFrame:
    done = orchestrator("collect", sweep, "--results", results)
    assert done.returncode == 0, done.stderr
    frame = pd.read_parquet(Path(results) / sweep / "table.parquet")
    return frame.sort_values("run_id").reset_index(drop=True)


def trained(store: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> pd.DataFrame:
    """The undisturbed table of the same sweep, from a store of its own."""
    with monkeypatch.context() as m:
        m.setenv("ORCHESTRATOR_STORE", str(store.parent / "undisturbed"))
        done = orchestrator("submit", "small", *words)
        assert done.returncode == 0, done.stderr
        return table("undisturbed")


def test_submit_collect_submit_again_and_extend(sweep_file, tiny):
    first = orchestrator("submit", "small", *tiny)
    assert first.returncode == 0, first.stderr
    rows = table("results")
    assert len(rows) == 8 and set(rows["status"]) == {"completed"}
    assert rows["run_id"].is_unique and rows["depth"].value_counts().to_dict() == {1: 4, 2: 4}
    assert (rows["eval_correct"] / rows["eval_total"] == rows["accuracy"]).all()
    curves = pd.read_parquet("results/small/curves.parquet")
    last = curves[curves["step"] == 24].set_index("run_id")["val_loss"]
    assert (last.loc[rows["run_id"]].to_numpy() == rows["val_loss"].to_numpy()).all()
    assert curves.groupby("run_id").size().eq(4).all()

    again = orchestrator("submit", "small", *tiny)
    assert again.returncode == 0 and "nothing to train" in again.stderr
    plan = json.loads(
        orchestrator("plan", "small", *tiny, "model.momentum.gamma=0,0.5,1", "--json").stdout
    )
    assert plan["counts"] == {"completed": 8, "new": 4}
    assert orchestrator("submit", "small", *tiny, "model.momentum.gamma=0,0.5,1").returncode == 0
    more = table("results")
    assert len(more) == 12
    kept = more[more["run_id"].isin(rows["run_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[METRICS], rows[METRICS])

    done = orchestrator("collect", "--results", "whole")
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet("whole/all/table.parquet")) == 12


def test_a_learned_gamma_is_told_along_the_run_and_in_the_table(sweep_file, tiny):
    words = ["model.momentum.learn=gamma", "model.momentum.gamma=0.3", "model.heads=2", "seed=0"]
    assert orchestrator("submit", "small", *tiny, *words).returncode == 0
    rows = table("results").set_index("depth")
    for depth in (1, 2):
        values = np.array(json.loads(rows.loc[depth, "learned_gamma"]))
        assert values.shape == (depth, 2) and (values != 0.3).all()
        assert (abs(values - 0.3) < 0.3).all()  # 24 steps at 3e-3 can't move it further


def test_evaluations_before_the_last_may_see_a_part_of_the_set(sweep_file, tiny, monkeypatch):
    assert orchestrator("submit", "small", *tiny, "budget.curve_sequences=16").returncode == 0
    curves = pd.read_parquet(table_folder("results") / "curves.parquet")
    last = curves["step"] == 24
    assert set(curves["eval_total"][last]) == {64 * 2} and set(curves["eval_total"][~last]) == {32}
    monkeypatch.setenv("ORCHESTRATOR_STORE", "other")
    assert orchestrator("submit", "small", *tiny).returncode == 0
    whole = pd.read_parquet(table_folder("whole") / "curves.parquet")
    assert set(whole["eval_total"]) == {64 * 2}
    keys = ["depth", "gamma", "seed"]
    one, other = (pd.read_parquet(f"{d}/small/table.parquet").sort_values(keys)
                  for d in ("results", "whole"))  # fmt: skip
    assert np.allclose(one["val_loss"], other["val_loss"], rtol=1e-6)


def table_folder(results: str) -> Path:
    """The folder of the sweep's tables, just collected."""
    table(results)
    return Path(results) / "small"


def test_killed_twice_in_the_middle_the_result_is_bit_identical(
    store, sweep_file, tiny, monkeypatch
):
    words = but(tiny, "budget.steps=4000", "execution.checkpoint_s=0.05", "cluster.processes=2")
    expected = trained(store, monkeypatch, *words)
    for _ in range(2):
        submission = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "submit", "small", *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        _wait_for_a_checkpoint(submission)
        os.killpg(submission.pid, signal.SIGKILL)
        submission.wait()
    killed = json.loads(orchestrator("status", "small", "--json").stdout)[0]["counts"]
    assert killed.get("dead", 0) > 0
    assert orchestrator("submit", "small", *words).returncode == 0
    rows = table("results")
    pd.testing.assert_frame_equal(rows[METRICS], expected[METRICS])
    resumed = [a for p in all_packs(open_store()) for a in attempts(open_store(), p.pack_id)]
    assert max(a.number for a in resumed) >= 3


def _wait_for_a_checkpoint(submission: subprocess.Popen) -> None:
    """Until a living attempt has written a new checkpoint."""
    seen = {p: p.stat().st_mtime_ns for p in open_store().packs.glob("*/*/checkpoint.pt")}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert submission.poll() is None, "it ended before it could be killed"
        for p in open_store().packs.glob("*/*/checkpoint.pt"):
            if seen.get(p) != p.stat().st_mtime_ns:
                return
        time.sleep(0.01)
    raise AssertionError("no checkpoint within two minutes")


def test_two_submissions_at_once_train_no_pack_twice(sweep_file, tiny):
    words = ["submit", "small", *but(tiny, "budget.steps=100")]
    both = [
        subprocess.Popen([sys.executable, "-m", "orchestrator", *words], stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [p.wait(300) for p in both] == [0, 0]
    store = open_store()
    assert [len(attempts(store, p.pack_id)) for p in all_packs(store)] == [1, 1]
    assert len(table("results")) == 8


def test_a_diverged_run_is_an_outcome(sweep_file, tiny):
    words = [*tiny, "model.depth=1", "optim.lr=3e-3,1e30", "optim.clip=null"]
    assert orchestrator("submit", "small", *words).returncode == 0
    rows = table("results")
    wild = rows[rows["lr"] == 1e30]
    assert set(wild["status"]) == {"diverged"} and wild["val_loss"].isna().all()
    assert set(rows[rows["lr"] != 1e30]["status"]) == {"completed"}


def test_a_failing_pack_is_reported_and_retried(sweep_file, tiny):
    module = Path("mine.py")
    module.write_text(
        "import sys\nfrom pathlib import Path\nfrom orchestrator.models import attention\n"
        "def attend(q, k, v):\n"
        "    if 'worker' in sys.argv[0] and not Path('mended').exists():\n"
        "        raise RuntimeError('no luck today')\n"
        "    return attention.attend(q, k, v)\n"
    )
    words = [*tiny, "model.attention=mine.attend", "model.depth=1", "seed=0"]
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "orchestrator"]

    def submit():
        return subprocess.run(
            [*command, "submit", "small", *words],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    failed = submit()
    assert failed.returncode == 1 and "a worker failed; its log:" in failed.stderr
    (status,) = json.loads(orchestrator("status", "small", "--json").stdout)
    assert status["counts"] == {"failed": 2}
    assert status["errors"][0]["error"] == "RuntimeError: no luck today"
    Path("mended").touch()
    assert submit().returncode == 0
    assert set(table("results")["status"]) == {"completed"}


def test_rerun_trains_again_and_the_new_result_counts(sweep_file, tiny):
    words = [*tiny, "model.depth=1", "seed=0"]
    assert orchestrator("submit", "small", *words).returncode == 0
    before = table("results")
    assert orchestrator("submit", "small", *words, "--rerun").returncode == 0
    after = table("results")
    assert (after["pack"] != before["pack"]).all()
    pd.testing.assert_frame_equal(after[METRICS], before[METRICS])


def test_train_prints_its_result_and_load_gives_the_record(store, tiny):
    done = orchestrator("train", *tiny, "model.momentum.gamma=0.5")
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.split()[1].rstrip(":")
    import orchestrator as package

    record = package.load(run_id)
    assert record.run.model.momentum.gamma == 0.5
    assert [row["step"] for row in record.curve][-1] == 24
    assert record.result["val_loss"] == record.curve[-1]["val_loss"]


def test_current_restricts_a_sweep_to_todays_file(sweep_file, tiny):
    assert orchestrator("submit", "small", *tiny, "model.depth=1", "seed=0").returncode == 0
    text = sweep_file.read_text().replace("'0,0.5'", "'0.5'")
    words = """
model: {width: 16}
optim: {warmup: 4}
execution: {compile: 'off'}
task: {pairs: 2, queries: 2, keys: 6, values: 6}
budget: {steps: 24, batch: 8, evals: 4, eval_sequences: 64}
"""
    sweep_file.write_text(text + words)
    done = orchestrator("collect", "small", "--current", "--results", "now")
    assert done.returncode == 0, done.stderr
    assert set(pd.read_parquet("now/small/table.parquet")["gamma"]) == {0.5}
    assert len(table("results")) == 2
