"""Every broken part is one line on standard error, exit status 2, and nothing written; on the path
of our C++ as on torch's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.cli import main
from orchestrator.config import run_config
from orchestrator.errors import UserError
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.plan import make_plan
from orchestrator.records.store import open_store
from orchestrator.settings import Execution, Settings
from tests.parts.broken import GIVE, TASK, Broken, broken

BROKEN = list(broken())


def config(b: Broken) -> dict[str, Any]:
    """The plain config of a run that names it."""
    tree: dict[str, Any] = {"task": {"_target_": "orchestrator.tasks.recall.Recall"}}
    *above, last = b.key.split(".")
    node = tree
    for name in above:
        node[name] = {}
        node = node[name]
    node[last] = b.path
    return tree


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
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)


def test_they_are_many_and_of_every_part():
    keys = {b.key for b in BROKEN}
    assert len(BROKEN) >= 40 and len({b.name for b in BROKEN}) == len(BROKEN)
    assert keys == {"task._target_", "model._target_", "model.attention", "model.momentum.operator"}


@pytest.mark.parametrize("b", BROKEN, ids=lambda b: b.name)
def test_a_broken_part_does_not_come_through_planning(store, forget, b: Broken):
    Path("broken.py").write_text(b.source)
    for native in ("on", "off"):
        settings = Settings(execution=Execution(native=native))
        with pytest.raises(UserError) as fault:
            make_plan(open_store(), "mine", [Experiment(run_config(config(b)), settings)])
        line = str(fault.value)
        assert b.words in line and "\n" not in line, line
        # a part's own UserError, or build's of a setting, names the setting and not the part
        assert line.startswith((f"{b.key}={b.path}: ", "task.kind=", "task.kind:", "model.width:"))
    assert not store.exists()


VERBS = (["train"], ["plan", "single"], ["submit", "single"])


@pytest.mark.parametrize(("at", "b"), list(enumerate(BROKEN))[::4], ids=str)
def test_it_is_one_line_and_exit_status_2(store, forget, capfd, at: int, b: Broken):
    Path("broken.py").write_text(b.source)
    Path("single.yaml").write_text("defaults: [config, _self_]\n")
    verb, *name = VERBS[at // 4 % 3]
    name = ["./single.yaml"] if name else []
    native = "on" if at // 4 % 2 else "off"
    with pytest.raises(SystemExit) as stop:
        main([verb, *name, f"{b.key}={b.path}", f"execution.native={native}"])
    out, error = capfd.readouterr()
    assert stop.value.code == 2, error
    assert error.startswith("orchestrator: ") and error.count("\n") == 1, error
    assert b.words in error and out == ""
    assert not store.exists() and sorted(os.listdir()) == ["broken.py", "single.yaml"]


@pytest.mark.parametrize("name", ["task prints", "task exits", "model dropout"])
def test_the_same_through_the_console_script(store, name):
    (b,) = [b for b in BROKEN if b.name == name] or [
        Broken(name, "task._target_", TASK.replace(GIVE, "print('x' * 99); sys.stderr.write('y')\n"
               f"        tokens = tokens[1:]\n        {GIVE}"), "tokens are (63, 6)")
    ]  # fmt: skip
    Path("broken.py").write_text(b.source)
    script = Path(sys.executable).with_name("orchestrator")
    done = subprocess.run(
        [script, "train", f"{b.key}={b.path}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stdout == "" and b.words in done.stderr, done.stderr
    assert done.stderr.startswith("orchestrator: ") and done.stderr.count("\n") == 1
    assert not store.exists() and {"broken.py"} == {p.name for p in Path().glob("*.*")}
