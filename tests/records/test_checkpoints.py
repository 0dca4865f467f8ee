"""A checkpoint that can't be read costs the work since the one before, and blocks nothing."""

from __future__ import annotations

import dataclasses
import random
import shutil
from pathlib import Path

import pytest

from orchestrator.records.attempts import attempts, claim, end, results
from orchestrator.records.packs import Frozen, freeze, new_pack
from orchestrator.records.store import open_store
from orchestrator.settings import Execution
from tests.tracking.scripted import TASK

EXACT = ("status", "val_loss", "accuracy", "eval_correct", "mean_loss", "steps_to_solve")


def runs():
    from orchestrator.config import run_config

    config = {"task": TASK, "budget": {"steps": 120, "batch": 2, "evals": 4, "eval_sequences": 8},
              "model": {"depth": 1, "width": 8, "heads": 1}}  # fmt: skip
    one = run_config(config)
    return [dataclasses.replace(one, seed_init=i, seed_data=0) for i in range(4)]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A store with a pack whose only attempt stopped in its second slice, at its third checkpoint."""
    store = open_store(tmp_path_factory.mktemp("stopped"))
    pack = new_pack(runs(), Frozen(compile=False, native=False, threads=1, width=2))
    freeze(store, pack)
    looks = iter(range(10**6))
    train(store, pack, stopping=lambda: next(looks) >= 10)
    return store, pack


@pytest.fixture
def half(stopped, tmp_path):
    """A copy of that store, the pack, and its attempt."""
    store, pack = open_store(tmp_path / "half"), stopped[1]
    shutil.copytree(stopped[0].root, store.root)
    (first,) = attempts(store, pack.pack_id)
    assert len(results([first])) == 2 and first.checkpoint.exists()
    return store, pack, first


@pytest.fixture(scope="module")
def whole(stopped, tmp_path_factory) -> dict:
    """What the pack comes to where nothing stops it."""
    store, pack = open_store(tmp_path_factory.mktemp("whole")), stopped[1]
    freeze(store, pack)
    train(store, pack)
    return exact(results(attempts(store, pack.pack_id)))


def train(store, pack, stopping=lambda: False):
    """One attempt at the pack, as a job makes it."""
    from orchestrator.launch.worker import run

    return run(store, [pack.pack_id], Execution(device="cpu", checkpoint_s=1e-9), stopping)


def exact(found: dict) -> dict:
    return {run: {k: row[k] for k in EXACT} for run, row in found.items()}


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        flipped = bytearray(content)
        for i in random.Random(0).sample(range(len(content)), 64):
            flipped[i] ^= 0x10
        path.write_bytes({
            "empty": b"", "zeros": bytes(len(content)), "half": content[: len(content) // 2],
            "flipped": bytes(flipped), "garbage": random.Random(1).randbytes(len(content)),
        }[how])  # fmt: skip


@pytest.mark.parametrize("how", ["empty", "zeros", "half", "flipped", "garbage", "a folder"])
@pytest.mark.parametrize("both", [False, True])
def test_a_damaged_checkpoint_falls_back(half, whole, capsys, how, both):
    store, pack, first = half
    damage(first.checkpoint, how)
    if both and (first.folder / "checkpoint.earlier.pt").exists():
        damage(first.folder / "checkpoint.earlier.pt", how)
    assert train(store, pack) == 0
    said = capsys.readouterr().err
    assert str(first.checkpoint) in said and "Traceback" not in said
    assert exact(results(attempts(store, pack.pack_id))) == whole


def test_the_one_before_is_whole_and_is_gone_on_from(half):
    from orchestrator.training.checkpoint import load_whole, saved, usable

    _, _, first = half
    last, before = (load_whole(p) for p in saved([first]))
    assert last["chunk"] == before["chunk"] == 1
    assert 0 < before["states"][-1]["step"] < last["states"][-1]["step"]
    damage(first.checkpoint, "half")
    (found,) = usable(saved([first]), last["code"])
    assert found["states"][-1]["step"] == before["states"][-1]["step"]
    assert list(usable(saved([first]), "other code")) == []


def test_a_completed_pack_leaves_no_checkpoints(half):
    store, pack, _ = half
    assert train(store, pack) == 0
    assert not list(store.packs.glob("*/*/*.pt"))


def test_an_owner_that_was_superseded_stops_and_counts_no_more(tmp_path):
    store = open_store(tmp_path)
    pack = new_pack(runs(), Frozen(compile=False, native=False, threads=1, width=2))
    freeze(store, pack)
    taken: list = []

    def stopping() -> bool:
        if (
            attempts(store, pack.pack_id) and not taken
        ):  # as if it were taken for dead: somebody else claims the pack, and trains on
            (mine,) = attempts(store, pack.pack_id)
            end(mine, "stopped")
            taken.append(claim(store, pack.pack_id, {}))
        return False

    train(store, pack, stopping)
    assert taken[0].number == 2 and not results(attempts(store, pack.pack_id))
    first = attempts(store, pack.pack_id)[0]
    assert first.superseded() and not first.checkpoint.exists()
