"""native=auto: our C++ where it builds and finds torch's losses here; else one warning, and on without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.models.native import trial
from orchestrator.models.native.build import compiler
from orchestrator.records.attempts import attempts
from orchestrator.records.packs import Frozen, all_packs, freeze, new_pack
from orchestrator.records.store import open_store
from tests.conftest import orchestrator
from tests.training.few_steps import runs_of

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")

WARNING = "training without our C++, which can't be used here: "
REAL = f'"{compiler()}"'
COMPILERS = {
    "none": (None, "CXX=./compiler: no such program"),
    "old": ("echo 'train.cpp:1: In file' >&2; echo 'vector.h:7: error: no such thing' >&2; exit 1",
            "./compiler can't build train.cpp: vector.h:7: error: no such thing"),
    # Reassociates the rounding constant of exp away (docs/notebook.md, "The step").
    "wrong": (f'exec {REAL} "$@" -Ofast -fassociative-math', "its self-check failed: losses differ from torch's by"),
    "crashing": (f'exec {REAL} "$@" -include "$PWD/crash.h"', "its self-check failed: it died of signal"),
    "silent": ("exit 0", "./compiler built no library"),
}  # fmt: skip


@pytest.fixture
def cache(tmp_path, monkeypatch, store) -> Path:
    """A cache of its own, in which nothing is built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("crash.h").write_text(
        "__attribute__((constructor)) static void f() { __builtin_trap(); }\n"
    )
    return tmp_path / "cache/orchestrator/native"


def use(script: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler from here on; its calls are counted in ./called."""
    monkeypatch.setenv("CXX", "./compiler")
    if script is not None:
        Path("compiler").write_text(f"#!/bin/sh\necho >> called\n{script}\n")
        Path("compiler").chmod(0o755)


@pytest.mark.parametrize("name", COMPILERS)
def test_where_it_does_not_build_or_is_wrong_training_goes_on_with_one_warning(
    name, cache, tiny, monkeypatch
):
    script, why = COMPILERS[name]
    use(script, monkeypatch)
    words = [*tiny, "model.depth=1", "execution.device=cpu"]
    done = orchestrator("train", *words)
    assert done.returncode == 0, done.stderr
    (line,) = [
        line for line in done.stderr.splitlines() if "C++" in line and "building" not in line
    ]
    assert line.startswith(WARNING + why), line
    (pack,) = all_packs(open_store())
    assert not pack.frozen.native and not pack.frozen.compile

    refused = orchestrator(
        "plan", "demo", *words[:-1], "execution.device=cpu", "execution.native=on"
    )
    error = [line for line in refused.stderr.splitlines() if "building" not in line]
    assert refused.returncode == 2 and len(error) == 1 and why in error[0], refused.stderr
    calls = len(Path("called").read_text()) if script else 0
    again = orchestrator("plan", "demo", *words)
    assert again.returncode == 0 and again.stderr.count(WARNING + why) == 1
    if name in ("wrong", "crashing"):  # built, and what its check said is remembered
        assert "building" not in again.stderr and len(Path("called").read_text()) == calls == 1


def test_another_version_that_shares_the_cache_and_checks_meanwhile_changes_no_answer(monkeypatch):
    theirs = {"sha256": "", "code": "another version", "differs": "it died of signal 4"}
    monkeypatch.setattr(trial, "standing", lambda: theirs)
    for code, said, why in (
        (0, "", None),
        (1, "its self-check failed: x\n", "its self-check failed: x"),
    ):
        done = subprocess.CompletedProcess([], code, said, "")
        monkeypatch.setattr(trial.subprocess, "run", lambda *_, done=done, **__: done)
        assert trial.trouble.__wrapped__() == why


def test_what_is_frozen_to_train_by_it_says_why_it_cannot_and_trains_once_it_can(
    cache, tiny, monkeypatch
):
    store = open_store()
    pack = new_pack(runs_of(2), Frozen(compile=False, native=True, threads=1, width=2))
    freeze(store, pack)
    execution = json.dumps({"device": "cpu"})
    words = [sys.executable, "-m", "orchestrator.launch.worker", "--store", str(store.root),
             "--execution", execution, pack.pack_id]  # fmt: skip
    with monkeypatch.context() as m:
        m.setenv("CXX", "./none")
        assert subprocess.run(words, check=False, capture_output=True).returncode == 1
    error = attempts(store, pack.pack_id)[-1].end()["error"]
    assert (
        "frozen to train by our C++, which can't be used here: CXX=./none: no such program" in error
    )
    assert "\n" not in error and "execution.native" not in error  # which changes nothing of it
    assert subprocess.run(words, check=False, capture_output=True).returncode == 0
    assert attempts(store, pack.pack_id)[-1].end()["status"] == "completed"


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:-1], lambda b: b"", lambda b: b"not a library"]
)  # fmt: skip
def test_a_library_that_is_not_whole_is_built_anew(damage, cache):
    check = [sys.executable, "-m", "orchestrator.training.selfcheck"]
    subprocess.run(check, check=True)
    (library,) = cache.glob("*.so")
    whole = library.read_bytes()
    library.write_bytes(damage(whole))
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert library.read_bytes() == whole
    assert sorted(p.suffix for p in cache.iterdir()) == [".json", ".so"]


def test_compiling_a_step_does_not_build_our_library(cache):
    """Nor ask for it: with native=off there may be none."""
    words = (
        "import torch\nfrom orchestrator.training.compiled import Compiled\n"
        "print(Compiled(lambda x: (x + 1,))(torch.zeros(3))[0].sum().item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "3.0", done.stderr
    assert not cache.exists()


def test_a_pack_frozen_without_it_never_speaks_of_it(cache, monkeypatch):
    """Compiled steps need a compiler too: the error is theirs."""
    store = open_store()
    pack = new_pack(runs_of(2), Frozen(compile=True, native=False, threads=1, width=2))
    freeze(store, pack)
    monkeypatch.setenv("CXX", "./none")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache.parent / "inductor"))
    monkeypatch.setenv("TORCHINDUCTOR_VEC_ISA_OK", "1")
    words = [sys.executable, "-m", "orchestrator.launch.worker", "--store", str(store.root),
             "--execution", json.dumps({"device": "cpu"}), pack.pack_id]  # fmt: skip
    subprocess.run(words, check=False, capture_output=True)
    error = attempts(store, pack.pack_id)[-1].end().get("error") or ""
    assert "our C++" not in error and "frozen" not in error, error
