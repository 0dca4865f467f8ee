"""The real hydra-optuna-sweeper, end to end: values, results, resumption, several objectives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from orchestrator.cost import parameters
from orchestrator.launch.optimise import Unfinished, objectives
from orchestrator.records.attempts import attempts, results
from orchestrator.records.load import load_run
from orchestrator.records.packs import all_packs
from orchestrator.records.store import Store, open_store
from tests.conftest import TINY, orchestrator

optuna = pytest.importorskip("optuna")
pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")


@pytest.fixture
def search(store) -> Path:
    """20 trials over rate and depth."""
    path = Path("sweeps/search.yaml")
    path.parent.mkdir()
    path.write_text(
        "defaults: [config, override hydra/sweeper: optuna, _self_]\n"
        "hydra: {sweeper: {n_trials: 20, n_jobs: 4, sampler: {seed: 1},\n"
        "  params: {optim.lr: 'tag(log, interval(1e-4,1e-1))', model.depth: 'choice(1,2)'}}}\n"
    )
    return path


def finished(store: Store) -> dict[str, dict]:
    """Results by run id; no run was trained to its end twice."""
    out: dict[str, dict] = {}
    for pack in all_packs(store):
        tries = attempts(store, pack.pack_id)
        rows = results(tries)
        lines = [row for a in tries for row in results([a]).values()]
        assert len(lines) == len(rows) and not set(rows) & set(out)
        out |= rows
    return out


def best_of(store: Store) -> tuple[float, dict]:
    """The least val_loss on record, and where it was found."""
    rows = finished(store)
    run_id = min(rows, key=lambda r: rows[r]["val_loss"])
    run = load_run(run_id).run
    return rows[run_id]["val_loss"], {"optim.lr": run.optim.lr, "model.depth": run.model.depth}


@pytest.mark.slow
def test_twenty_trials_find_the_least_loss_and_again_train_nothing(search, store):
    words = [w for w in TINY if not w.startswith("model.depth")]
    done = orchestrator("submit", "search", *words, timeout=600)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(Path("results/search/optimization_results.yaml").read_text())
    loss, place = best_of(open_store())
    assert found["best_value"] == loss and found["best_params"] == place
    assert f"best_value: {loss}" in done.stdout
    assert sorted(os.listdir()) == ["results", "sweeps"]  # no multirun/, no outputs/
    known = finished(open_store())
    assert 15 <= len(known) <= 20
    again = orchestrator(
        "submit", "search", *words, timeout=600
    )  # without a storage: the seed leads back
    assert again.returncode == 0 and "to train:" not in again.stderr, again.stderr
    assert finished(open_store()) == known
    assert yaml.safe_load(Path("results/search/optimization_results.yaml").read_text()) == found


@pytest.mark.slow
def test_killed_it_goes_on_from_its_storage(search, store):
    words = [w for w in TINY if not w.startswith("model.depth")]
    words += ["hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.n_jobs=2"]
    command = [sys.executable, "-m", "orchestrator", "submit", "search", *words]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while len(finished(open_store())) < 6:
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    while any(
        a.living() for p in all_packs(open_store()) for a in attempts(open_store(), p.pack_id)
    ):
        time.sleep(0.1)
    before = set(finished(open_store()))

    done = orchestrator("submit", "search", *words, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "of 20 trials are done" in done.stderr
    study = optuna.load_study("search", "sqlite:///study.db")
    states = [t.state.name for t in study.trials]
    assert states.count("COMPLETE") == 20 and not {"RUNNING", "WAITING"} & set(states)
    assert before <= set(finished(open_store()))
    loss, place = best_of(open_store())
    found = yaml.safe_load(Path("results/search/optimization_results.yaml").read_text())
    assert found["best_value"] == loss and found["best_params"] == place
    again = orchestrator("submit", "search", *words, timeout=600)
    assert again.returncode == 0 and "20 of 20 trials are done" in again.stderr
    assert len(study.trials) == len(optuna.load_study("search", "sqlite:///study.db").trials)


@pytest.mark.slow
def test_several_objectives_give_a_front(search, store):
    words = [w for w in TINY if not w.startswith("model.depth")]
    words += [
        "sweep.objectives=[val_loss,params]", "hydra.sweeper.direction=[minimize,minimize]",
        "hydra/sweeper/sampler=nsgaii", "hydra.sweeper.sampler.seed=3",
        "hydra.sweeper.sampler.population_size=4", "hydra.sweeper.n_trials=8",
    ]  # fmt: skip
    done = orchestrator("submit", "search", *words, timeout=600)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(Path("results/search/optimization_results.yaml").read_text())
    rows = finished(open_store())
    points = [(row["val_loss"], parameters(load_run(r).run)) for r, row in rows.items()]
    front = {p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    assert {tuple(s["values"]) for s in found["solutions"]} == front


def test_what_cannot_be_is_one_line(search, store):
    for words, said in (
        (["plan", "search"], "chooses its points as results come in"),
        (["submit", "search", "sweep.objectives=[val_loss,flops]"], "1 for 2 sweep.objectives"),
        (["submit", "search", "sweep.objectives=[val_los]"], "(did you mean val_loss?)"),
        (["submit", "search", "hydra.sweeper.sampler._target_=a.b"], "Error locating target"),
        (["submit", "search", "cluster=slurm"], "cluster.wait=true"),
        (["submit", "search", "optim.lr=interval(-2,-1)"], "must be 0 or more"),
        (["submit", "search", "cluster.processes=choice(1,2)"], "cluster.processes=1 and"),
    ):
        done = orchestrator(*words)
        error = [x for x in done.stderr.splitlines() if "A new study created" not in x]
        assert done.returncode == 2 and said in error[-1] and len(error) == 1, done.stderr
        assert not store.exists() and os.listdir() == ["sweeps"]


def test_what_an_optimiser_gets(tiny):
    run = None
    row = {"run_id": "a", "status": "completed", "val_loss": 0.5, "accuracy": 0.9,
           "steps_to_solve": None}  # fmt: skip
    assert objectives(run, row, ["val_loss"]) == 0.5
    assert objectives(run, row, ["val_loss", "accuracy"]) == [0.5, 0.9]
    assert objectives(run, row, ["steps_to_solve"]) == float("inf")
    diverged = {"status": "diverged", "val_loss": None, "accuracy": None}
    assert objectives(run, diverged, ["val_loss", "accuracy"]) == [float("inf"), 0.0]

    class Run:
        run_id = "a"

    for lost in ({}, {"status": "failed", "val_loss": 0.1}):
        assert isinstance(objectives(Run(), lost, ["val_loss"]), Unfinished)
