"""Every broken part is one line on standard error, exit status 2, and nothing written; on the path
of our C++ as on torch's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli import main
from tests.parts.broken import Broken, broken

BROKEN = list(broken())
SHORT = ["budget.steps=3", "budget.eval_sequences=64", "budget.curve_sequences=null"]


@pytest.fixture
def forget(monkeypatch):
    """A process that has imported no part yet."""
    from orchestrator import config
    from orchestrator.parts import settings, source

    for cached in (config._section, settings._settings_of, source._module_hash):
        cached.cache_clear()
    sys.modules.pop("broken", None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def test_they_are_many_and_of_every_part():
    keys = {b.key for b in BROKEN}
    assert len(BROKEN) >= 40 and len({b.name for b in BROKEN}) == len(BROKEN)
    assert keys == {"task._target_", "model._target_", "model.attention", "model.momentum.operator"}


@pytest.mark.parametrize("b", BROKEN, ids=lambda b: b.name)
def test_a_broken_part_is_one_line_and_nothing_written(store, forget, capfd, b: Broken):
    Path("broken.py").write_text(b.source)
    verbs = (("train",), ("plan", "controls_small"), ("submit", "controls_small"))
    for native in ("on", "off"):
        with pytest.raises(SystemExit) as stop:
            main(["train", f"{b.key}={b.path}", f"execution.native={native}", *SHORT])
        out, error = capfd.readouterr()
        assert stop.value.code == 2, error
        assert error.startswith("orchestrator: ") and error.count("\n") == 1, error
        assert b.words in error and (f"{b.key}={b.path}" in error or "kind" in error or
                                     "must be given" in error), error  # fmt: skip
        assert out == ""
    assert not store.exists() and os.listdir() == ["broken.py"]
