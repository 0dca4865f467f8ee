"""Records are their owner's alone unless the store's folder says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.records.attempts import claim
from orchestrator.records.store import open_store, require_writable
from tests.tracking.scripted import planned


@pytest.fixture(autouse=True)
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(root: Path) -> set[int]:
    return {p.stat().st_mode & 0o777 for p in [root, *root.rglob("*")]}


def write(root: Path) -> None:
    store = open_store(root)
    require_writable(store)
    (pack,) = planned(store, "s", packs=1)
    assert claim(store, pack.pack_id, {}) is not None


def test_a_new_store_is_private(tmp_path):
    write(tmp_path / "deep" / "runs")
    assert modes(tmp_path / "deep" / "runs") == {0o700, 0o600}


@pytest.mark.parametrize("mode", [0o750, 0o755, 0o770])
def test_records_are_shared_as_the_store_is(tmp_path, mode):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs").chmod(mode)
    write(tmp_path / "runs")
    assert modes(tmp_path / "runs") == {mode, mode & 0o666}
