"""The face: quick where nothing trains, one clear line and exit status 2 for bad input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import training
from orchestrator.cli import main

WRONG = [
    (["plan", "demoo"], "sweep demoo: not found (did you mean demo?)"),
    (["plan", "./none.yaml"], "sweep ./none.yaml: no such file"),
    (["submit", "demo", "model.dpth=1"], "model.dpth: no such setting (did you mean model.depth?)"),
    (["submit", "demo", "model.depth=0"], "model.depth=0: must be an integer of at least 1"),
    (["submit", "demo", "model.width=33", "model.heads=2"], "model.width=33: must be divisible"),
    (["submit", "demo", "model.head_dim=5"], "model.head_dim=5: must be even with rotary"),
    (["submit", "demo", "model.momentum.gamma=nan"], "model.momentum.gamma=nan: gamma must be"),
    (["submit", "demo", "optim.lr=-1"], "optim.lr=-1.0: must be 0 or more"),
    (["submit", "demo", "task.pairs=99"], "task.pairs=99: must be at most task.keys=24"),
    (["submit", "demo", "cluster=moon"], "cluster=moon: no such option; options: local, slurm"),
    (["submit", "demo", "model.depth=1,"], "model.depth=1,"),
    (["submit", "demo", "execution.threads=0"], "execution.threads=0: must be above 0"),
    (["submit", "demo", "--frobnicate"], "--frobnicate: no such option"),
    (["train", "model.depth=1,2"], "train: takes one run"),
    (["collect", "demo"], "sweep demo: not submitted yet"),
    (["status", "demo"], "sweep demo: not submitted yet"),
]


@pytest.mark.parametrize(("argv", "words"), WRONG, ids=lambda v: " ".join(v)[:40])
def test_bad_input_is_one_line_and_writes_nothing(store, capsys, argv, words):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert words in error and error.count("\n") == 1, error
    assert not store.exists() and os.listdir() == []


@pytest.mark.parametrize(
    "content", [b"defaults: [config\n", b"\xff\xfe\x00bad", b"- a list\n", b""], ids=str
)
def test_an_unreadable_sweep_file(store, capsys, content):
    Path("broken.yaml").write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        main(["submit", "./broken.yaml"])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and "broken.yaml" in error and error.count("\n") == 1
    assert not store.exists()


def test_a_store_that_cannot_be_written(store, capsys, tiny, monkeypatch):
    Path("file").write_text("")
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(Path("file/store").absolute()))
    with pytest.raises(SystemExit) as stop:
        main(["submit", "demo", *tiny])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and "can't be written" in error.splitlines()[-1]


def test_what_trains_nothing_imports_no_torch(store):
    code = (
        "import sys; from orchestrator.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "bad = {'torch', 'lightning', 'wandb'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    for argv in (["--help"], ["plan", "demo"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_plan_says_which_component_changed(store, tiny, capsys, monkeypatch):
    words = ["demo", *tiny, "model.depth=1", "seed=0", "model.momentum.gamma=0"]

    def say(*argv: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(list(argv))
        assert stop.value.code == 0
        captured = capsys.readouterr()
        return captured.out + captured.err

    say("submit", *words)
    assert "2 completed" in say("plan", *words)
    was = training.VERSION
    monkeypatch.setattr("orchestrator.training.VERSION", was + 1)
    changed = say("plan", *words)
    assert "2 changed" in changed and f"training {was} → {was + 1}" in changed


def test_other_code_of_the_same_version_is_named(store, tiny, capsys, monkeypatch):
    words = ["demo", *tiny, "model.depth=1", "seed=0", "model.momentum.gamma=0"]
    with pytest.raises(SystemExit):
        main(["submit", *words])
    monkeypatch.setattr("orchestrator.launch.plan.code_version", lambda: "other")
    with pytest.raises(SystemExit):
        main(["plan", *words])
    assert "2 finished runs were trained by other code" in capsys.readouterr().out
