"""What keeps a worker from a pack is one line of its log, and it goes on with the next one."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from orchestrator.cli import main
from orchestrator.launch.worker import run
from orchestrator.records.store import open_store
from orchestrator.settings import Execution
from tests.tracking.scripted import planned


@pytest.mark.parametrize("what", ["lost", "full"])
def test_packs_that_cannot_be_begun(tmp_path, monkeypatch, capsys, what):
    store = open_store(tmp_path)
    ids = [pack.pack_id for pack in planned(store, "s", packs=2, runs=2, slices=1)]

    def full(source, target) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    if what == "lost":
        for pack_id in ids:
            (store.packs / pack_id / "pack.json").unlink()
    else:
        monkeypatch.setattr(os, "link", full)
    assert run(store, ids, Execution(device="cpu"), lambda: False) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in said] == [f"pack {pack_id}" for pack_id in ids]
    word = {"lost": "submit its sweep again", "full": "No space left"}[what]
    assert all(word in line for line in said)


def test_a_local_submission_leaves_the_callers_signals_alone(store, sweep_file, tiny):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(["submit", "small", *tiny])
    assert ended.value.code in (0, None)
    assert signal.getsignal(signal.SIGTERM) is before
