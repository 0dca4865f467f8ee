"""A store of the first version is gone on with by this one: nothing lost, the same table."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from orchestrator import models
from tests.store.first_version import as_first_version
from tests.store.forked import orchestrator
from tests.store.half_trained import EXACT, complete, tables

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("store")]


@pytest.fixture(scope="module")
def world(half):
    """A folder with the half-trained store as the first version wrote it, and what it must come to."""
    folder, expected = half
    shutil.copytree(folder / "template", folder / "first")
    as_first_version(folder / "first")
    assert not list((folder / "first").rglob("results-*.json"))
    return folder, expected


@pytest.fixture
def store(world, tmp_path):
    shutil.copytree(world[0] / "first", tmp_path / "store")
    return tmp_path / "store"


def say(world, store, *words: str, **kwargs) -> str:
    """What a verb that must succeed says."""
    code, said = orchestrator(world[0], store, *words, **kwargs)
    assert code == 0 and "Traceback" not in said, said
    return said


def files(store):
    return {p: p.read_bytes() for p in store.rglob("*") if p.is_file() and "logs" not in p.parts}


@pytest.mark.parametrize("verb", ["submit", "retry"])
def test_a_store_of_the_first_version_comes_to_the_same_table(world, store, verb):
    folder, expected = world
    (half,) = (p.parent for p in store.glob("packs/*/0001/checkpoint.pt"))
    state = "dead"
    if verb == "retry":
        state = "failed"
        (half / "end.json").write_text('{"status":"failed","error":"RuntimeError: no luck"}\n')
    before = files(store)
    say(world, store, "check")
    (status,) = json.loads(say(world, store, "status", "small", "--json"))
    assert status["counts"] == {"completed": 6, state: 2}
    counts = json.loads(say(world, store, "plan", "small", "--json"))["counts"]
    assert counts == status["counts"]
    say(world, store, "collect", "small")
    early = tables(folder)[0].query("status == 'completed'")
    assert files(store) == before  # nothing was moved, and nothing written
    if verb == "retry":
        say(world, store, "retry", "small")
    assert complete(folder, store)[0] == 1
    table, curves = tables(folder)
    pd.testing.assert_frame_equal(table[EXACT], expected[0][EXACT], check_exact=True)
    assert len(curves) == len(expected[1])
    late = table[table["run_id"].isin(early["run_id"])]
    one, other = (f.reset_index(drop=True).dropna(axis=1, how="all") for f in (late, early))
    pd.testing.assert_frame_equal(one, other, check_dtype=False)
    assert {p: b for p, b in files(store).items() if p in before and p.suffix == ".jsonl"} == {
        p: b for p, b in before.items() if p.suffix == ".jsonl"
    }  # what was found stays as it was written
    say(world, store, "check")
    say(world, store, "cancel", "other")


def test_after_a_version_was_raised_current_shows_todays_runs_alone(world, store):
    """The earlier ones stay, failed ones too; retry says that they are another version's."""
    (half,) = (p.parent for p in store.glob("packs/*/0001/checkpoint.pt"))
    (half / "end.json").write_text('{"status":"failed","error":"RuntimeError: no luck"}\n')

    def raised() -> None:
        models.VERSION += 1

    submitted = say(world, store, "submit", "small", before=raised)
    assert "8 changed" in submitted
    for words, runs in (((), 16), (("--current",), 8)):
        (status,) = json.loads(
            say(world, store, "status", "small", "--json", *words, before=raised)
        )
        assert sum(status["counts"].values()) == runs
        assert status["counts"].get("failed", 0) == (2 if runs == 16 else 0)
        done = say(world, store, "collect", "small", *words, "--json", before=raised)
        last = json.loads(next(x for x in done.splitlines() if x.startswith("{")))
        assert (last["expected"], last["missing"]) == (runs, 2 if runs == 16 else 0)
    before = files(store)
    retried = say(world, store, "retry", "small", before=raised)
    assert "2 failed runs are of another version of the code and stay as they are" in retried
    assert "`--current` leaves them out" in retried and files(store) == before
