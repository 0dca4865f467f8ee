"""code_version knows every file that computes, C++ and headers too, and none that is made of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator
from orchestrator.records import provenance

PACKAGE = Path(orchestrator.__file__).parent


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    """A copy of the package, whose code_version is asked from here on."""
    to = tmp_path / "orchestrator"
    shutil.copytree(PACKAGE, to, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "_PACKAGE", to)
    return to


def version() -> str:
    provenance.code_version.cache_clear()
    return provenance.code_version()


@pytest.fixture(autouse=True)
def forget():
    yield
    provenance.code_version.cache_clear()


def computes() -> list[str]:
    rooms = [PACKAGE / room for room in ("models", "tasks", "training")]
    files = [p for room in rooms for p in room.rglob("*") if p.is_file()]
    return sorted(
        str(p.relative_to(PACKAGE)) for p in files if p.suffix not in (".pyc", ".so")
    )  # fmt: skip


def test_an_edit_of_any_file_that_computes_is_another_code(copy):
    names = computes()
    assert {"models/native/train.cpp", "models/native/vector.h", "training/step.py"} < set(names)
    seen = {version()}
    for name in names:
        with open(copy / name, "a") as f:
            f.write("\n")
        seen.add(version())
    assert len(seen) == len(names) + 1
    (copy / "models/native/vector.h").rename(copy / "models/native/vectors.h")
    assert version() not in seen


def test_whatever_training_imports_is_covered_or_known_not_to_compute():
    """A new room that computes has to be named in provenance.ROOMS."""
    words = "import sys, orchestrator.training.pack\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    imported = {m.split(".")[1] for m in done.stdout.split() if m.startswith("orchestrator.")}
    covered = {room.removesuffix(".py") for room in provenance.ROOMS}
    # These check, name, count and keep; what they say of a run stands in its id or its record.
    others = {
        "cluster",
        "coerce",
        "cost",
        "durations",
        "errors",
        "identity",
        "law",
        "parts",
        "records",
        "settings",
    }
    assert covered - {"tasks", "prng"} <= imported <= covered | others, imported


@pytest.mark.parametrize(
    "made", ["models/__pycache__/x.cpython-311.pyc", "models/native/train.so", "training/.x.py.swp"]
)
def test_what_is_made_of_the_source_is_not_part_of_it(copy, made):
    before = version()
    (copy / made).parent.mkdir(exist_ok=True)
    (copy / made).write_bytes(b"made")
    assert version() == before
