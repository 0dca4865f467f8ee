"""`orchestrator check` says what is wrong with a store, moves nothing unasked, and mends it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.records.attempts import claim, end
from orchestrator.records.manifests import read_sweep
from orchestrator.records.store import Store, open_store
from tests.tracking.scripted import planned, train


@pytest.fixture
def records(store: Path) -> Store:
    out = open_store()
    for pack in planned(out, "s"):
        train(out, pack, None, 0.0)
    return out


def check(capsys: pytest.CaptureFixture, *words: str) -> tuple[int, list[dict]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(["check", "--json", *words])
    return left.value.code, json.loads(capsys.readouterr().out)


def files(root: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_sound_store_is_sound(records, capsys):
    assert check(capsys) == (0, [])


def test_a_store_that_is_not_there(store, capsys):
    with pytest.raises(SystemExit) as left:
        main(["check"])
    assert left.value.code == 2 and "not there" in capsys.readouterr().err


@pytest.mark.parametrize(
    "record",
    ["pack.json", "0001.claim", "results-001.json", "0001/end.json", "0001/progress.json",
     "0001/curves.jsonl"],
)  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"\0" * 90 + b"\n", b'{"half'])
def test_damage_is_found_and_mended(records, capsys, record, content):
    folder = next(records.packs.iterdir())
    path = folder / record
    path.write_bytes(content)
    before = files(records.root)
    code, found = check(capsys)
    if record == "0001/curves.jsonl" and content == b"":
        assert code == 0  # no line is a damaged line; what is missing is named by `collect`
        return
    assert code == 1 and [p["path"] for p in found] == [str(path)] and not found[0]["repaired"]
    assert files(records.root) == before
    code, found = check(capsys, "--repair")
    assert code == 0 and found[0]["repaired"]
    assert content in {p.read_bytes() for p in path.parent.glob(f"{path.name}.damaged*")} | {
        p.read_bytes()[:-1] for p in path.parent.glob(f"{path.name}.damaged*")
    }
    code, found = check(capsys)
    assert (code, [p["what"] for p in found]) == (
        (1, ["not there"]) if record == "pack.json" else (0, [])
    )


def test_lines_that_an_owner_may_append_to_are_left_alone(records, capsys):
    pack = next(records.packs.iterdir())
    path = pack / "0001/curves.jsonl"
    path.write_bytes(b"torn\n" + path.read_bytes())
    before = path.read_bytes()
    owner = claim(records, pack.name, {"code_version": "x"})
    code, found = check(capsys, "--repair")
    assert code == 1 and not found[0]["repaired"] and path.read_bytes() == before
    end(owner, "stopped")
    code, found = check(capsys, "--repair")
    assert code == 0 and path.read_bytes() == before.removeprefix(b"torn\n")


def test_a_lost_manifest_is_rebuilt_from_its_packs(records, capsys):
    before = read_sweep(records, "s").members
    (path,) = (records.sweeps / "s").iterdir()
    path.write_bytes(path.read_bytes()[: os.stat(path).st_size // 2])
    code, found = check(capsys, "--repair")
    assert code == 0 and len(found) == 2, found
    assert read_sweep(records, "s").members == before
    assert check(capsys) == (0, [])


OLD = [".clock-" + "0" * 32, ".probe-" + "0" * 32, ".0001.claim.0123456789ab", ".weights.pt.new"]
YOUNG = [
    ".clock-" + "1" * 32,
    ".probe-" + "1" * 32,
    ".0002.claim.0123456789ab",
    ".checkpoint.pt.new",
]


@pytest.mark.parametrize("living", [False, True])
def test_what_killed_processes_left_is_removed_when_it_is_a_day_old(records, capsys, living):
    """But nothing of a pack that has an owner, who may have been suspended for as long."""
    pack, other = sorted(records.packs.iterdir())
    if living:
        claim(records, pack.name, {"code_version": "x"})
    old, young = [], []
    for folder in (records.root, records.sweeps / "s", pack, pack / "0001", other / "0001"):
        old += [folder / name for name in OLD]
        young += [folder / name for name in YOUNG]
    yesterday = time.time() - 86_500
    for path in (*old, *young):
        path.touch()
    for path in old:
        os.utime(path, (yesterday, yesterday))
    before = set(records.root.rglob("*"))
    assert check(capsys) == (0, []) and set(records.root.rglob("*")) == before
    assert check(capsys, "--repair") == (0, [])
    kept = [p for p in old if living and pack in p.parents]
    assert [p for p in old if p.exists()] == kept and all(p.exists() for p in young)
    assert before - set(records.root.rglob("*")) == set(old) - set(kept)
