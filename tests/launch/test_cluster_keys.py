"""The keys of the group `cluster`: each known to Hydra, to sbatch in its words, and to no other place."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from orchestrator.bases import fields_of
from orchestrator.cli import main
from orchestrator.cluster import Cluster
from orchestrator.errors import UserError
from orchestrator.launch.sbatch import options, refused
from orchestrator.settings import Execution
from tests.conftest import TINY

SBATCH = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/asked"
exit ${REFUSES:-0}
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A stand-in for sbatch, and the words that it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sbatch").write_text(SBATCH)
    (folder / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("REFUSES", "1")  # asked, and then nothing is submitted
    return folder / "asked"


def submit(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["submit", "small", *TINY, *words])
    return stop.value.code


@pytest.mark.parametrize("words", ["[main,high]", '"main,high"', "main"])
def test_several_partitions_typed(sweep_file, asked, capsys, words):
    assert submit("cluster=slurm", f"cluster.partition={words}") == 2
    expected = words.strip('["]')
    assert f"--partition={expected} " in asked.read_text()
    assert "no reason given" in capsys.readouterr().err


def test_several_partitions_in_a_file(sweep_file, asked):
    Path("conf/cluster").mkdir(parents=True)
    text = "defaults: [slurm, _self_]\npartition: main,high\nexclude: [n1, n2]\n"
    Path("conf/cluster/mine.yaml").write_text(text)
    assert submit("cluster=mine") == 2
    said = asked.read_text()
    assert "--partition=main,high " in said and "--exclude=n1,n2 " in said


OTHER = {k: 7 if isinstance(v, int) else "x" for k, v in fields_of(Cluster).items()}
OTHER |= {"gpus": 1, "cpus": 3, "memory": 2, "parallelism": 3, "setup": ["x"], "sbatch": {"x": 1}}
OTHER |= {"gres": None, "processes": 3}
"""A value that is not the default of each key (gres and gpus exclude each other)."""
SLURMS = [k for k in OTHER if k not in ("name", "wait", "processes", "gres")]


def test_each_key_is_known_to_hydra(sweep_file, capsys):
    words = [f"cluster.{k}={OTHER[k]}" for k in SLURMS if k not in ("setup", "sbatch")]
    with pytest.raises(SystemExit) as stop:
        main(["plan", "small", "cluster=slurm", *words])
    assert stop.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("key", SLURMS)
def test_a_key_that_would_have_no_effect_is_refused(key):
    assert getattr(Cluster(name="slurm", **{key: OTHER[key]}), key) == OTHER[key]
    Cluster(**{key: OTHER[key]}).require_effect(["cluster.wait=true", "seed=0"])
    with pytest.raises(UserError, match=rf"^\+?cluster\.{key}.*: .*cluster=slurm"):
        Cluster().require_effect(
            ["seed=0", f"+cluster.{key}.x=1" if key == "sbatch" else f"cluster.{key}=1"]
        )


def test_every_word_that_stands_for_an_option_reaches_sbatch():
    named = {f.name: f.metadata["sbatch"] for f in dataclasses.fields(Cluster)
             if f.metadata.get("sbatch")}  # fmt: skip
    given = {k: 1 if k in ("gpus", "cpus", "memory", "time") else "x" for k in named}
    given["gres"] = None
    words = options(Cluster(name="slurm", **given), Execution())
    assert set(named.values()) - {"gres"} | {"requeue"} == set(words)
    assert words["mem"] == "1024M" and words["cpus-per-task"] == 1


def test_a_complaint_names_the_key_that_it_is_about():
    cluster = Cluster(name="slurm", partition="x", exclude="y", memory=1)
    for reason, key in (
        ("Batch job submission failed: Invalid partition name specified", "cluster.partition=x"),
        ("Invalid node name specified", "cluster.exclude=y"),
        ("Memory specification can not be satisfied", "cluster.memory=1"),
        ("Requested time limit is invalid (exceeds some limit)", "cluster.time=60"),
        ("Socket timed out on send/recv operation", "cluster=slurm"),
    ):
        assert refused(f"sbatch: error: {reason}\n", cluster).startswith(f"{key}: sbatch says")
