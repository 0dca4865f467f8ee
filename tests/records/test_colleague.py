"""Somebody who may read a store and not write it: the verbs that read answer, and write nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.records.attempts import claim
from orchestrator.records.store import open_store
from tests.tracking.scripted import planned, train

SWEEP = "defaults: [config, _self_]\nhydra: {sweeper: {params: {seed: '0,1'}}}\n"


def test_a_colleague_reads(monkeypatch, capsys):
    if os.geteuid():
        pytest.skip("becoming somebody else takes root")
    if not all(
        at.stat().st_mode & stat.S_IXOTH for at in (Path(sys.prefix), *Path(sys.prefix).parents)
    ):
        pytest.skip(f"nobody else may read this environment ({sys.prefix})")
    folder = Path(tempfile.mkdtemp(prefix="shared-", dir="/tmp"))
    try:
        (folder / "sweeps").mkdir()
        (folder / "sweeps/mine.yaml").write_text(SWEEP)
        (folder / "theirs").mkdir()
        (folder / "theirs").chmod(0o777)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("ORCHESTRATOR_STORE", str(folder / "runs"))
        store = open_store()
        done, open_pack = planned(store, "s", packs=2)
        train(store, done, None, 0.0)
        attempt = claim(store, open_pack.pack_id, {"code_version": "x", "git_commit": None})
        path = store.packs / open_pack.pack_id / "0001.claim"
        there = {k: v for k, v in json.loads(path.read_text()).items() if k != "crc32"}
        path.write_text(json.dumps({**there, "host": "n7", "boot_id": "other"}))
        tomorrow = time.time() + 86_400
        verbs = [("status", "s"), ("plan", "mine"), ("check",),
                 ("collect", "s", "--results", "theirs/results")]  # fmt: skip
        for verb in verbs:  # once as their owner, so that everything is imported
            with pytest.raises(SystemExit) as left:
                main(list(verb))
            assert left.value.code == 0, (verb, capsys.readouterr().err)
        shutil.rmtree("theirs/results")
        os.utime(attempt.progress, (tomorrow, tomorrow))
        for at in [folder, *folder.rglob("*")]:
            at.chmod(0o777 if at.name == "theirs" else 0o755 if at.is_dir() else 0o644)
        before = {p: p.stat().st_mtime_ns for p in store.root.rglob("*")}
        monkeypatch.setattr("orchestrator.records.clock._ahead", {})
        os.seteuid(65534)
        try:
            for verb in (*verbs, ("submit", "mine")):
                with pytest.raises(SystemExit) as left:
                    main(list(verb))
                said = capsys.readouterr().err
                assert left.value.code == (2 if verb[0] == "submit" else 0), (verb, said)
            assert "Permission denied" in said.splitlines()[-1]
        finally:
            os.seteuid(0)
        assert before == {p: p.stat().st_mtime_ns for p in store.root.rglob("*")}
    finally:
        shutil.rmtree(folder)
