"""Tables from records in whatever state: what is lost is named, and two at once do no harm."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.records.store import open_store
from tests.tracking.scripted import STEPS, planned, train


@pytest.fixture
def trained(store: Path):
    records = open_store()
    packs = planned(records, "s")
    for pack in packs:
        train(records, pack, None, 0.0)
    return records, packs


def collected(folder: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    from orchestrator.launch.reports import collect_sweep

    collect_sweep("s", Path(folder), csv=False)
    return tuple(pd.read_parquet(f"{folder}/s/{n}.parquet") for n in ("table", "curves"))


@pytest.mark.parametrize("where", ["in the middle", "at the end"])
def test_a_torn_line_of_curves_loses_one_evaluation_and_says_so(trained, capsys, where):
    records, packs = trained
    table, curves = collected("before")
    path = records.packs / packs[0].pack_id / "0001" / "curves.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if where == "at the end":  # the last evaluation of the second slice
        path.write_bytes(b"".join(lines[:-1]) + lines[-1][:50])
    else:
        path.write_bytes(lines[0][:50] + b"\n" + b"".join(lines[1:]))
    capsys.readouterr()
    after, less = collected("after")
    said = capsys.readouterr().err
    pd.testing.assert_frame_equal(after, table)
    assert "Traceback" not in said
    if where == "at the end":
        key = ["run_id", "step"]
        pd.testing.assert_frame_equal(
            less.sort_values(key, ignore_index=True), curves.sort_values(key, ignore_index=True)
        )
    else:
        assert len(curves) - len(less) == 3 and str(path) in said
        assert "evaluations at steps 1 of the slice at slot 0 are lost" in said


def test_a_bit_that_flips_in_a_number_is_noticed(trained, capsys):
    records, packs = trained
    _, curves = collected("before")
    path = records.packs / packs[0].pack_id / "0001" / "curves.jsonl"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"val_loss":[1.98', b'"val_loss":[9.98', 1))
    assert path.read_bytes() != content
    _, less = collected("after")
    assert len(less) == len(curves) - 3 and less["val_loss"].max() == curves["val_loss"].max()


def test_two_collects_at_once_both_succeed(trained, monkeypatch):
    """The second begins and ends between the first one's writing of a file and its renaming."""
    alone, real = collected("alone"), os.replace
    second = []

    def replace(source, target) -> None:
        if not second and str(target).endswith(".parquet"):
            second.append(target)
            collected("both")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    both = collected("both")
    assert second
    for mine, theirs in zip(alone, both, strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    assert sorted(p.name for p in Path("both/s").iterdir()) == ["curves.parquet", "table.parquet"]


def test_a_damaged_pack_is_named_and_the_other_one_is_collected(trained, capsys):
    from orchestrator.launch import show
    from orchestrator.launch.reports import statuses

    records, packs = trained
    assert sum(statuses("s")[0].counts.values()) == 12
    (records.packs / packs[0].pack_id / "pack.json").write_text("{")
    (records.packs / ".DS_Store").write_bytes(b"\0")
    table, curves = collected("results")
    assert set(table["pack"]) == {packs[1].pack_id} and len(table) == 6
    assert len(curves) == 6 * STEPS
    assert packs[0].pack_id in capsys.readouterr().err
    (status,) = statuses("s")  # says what collect does
    assert status.counts["dead"] == 6 and sum(status.counts.values()) == 12
    (line,) = show.status_lines(status)
    assert packs[0].pack_id in line and "lost; submit its sweep again" in line
