"""At 80 columns every number of a screen is there whole, whatever the arms are called."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from analysis.contrasts.sides import compare_sides
from analysis.show.console.narrow import screen as screen_of
from analysis.show.console.narrow import show_table
from tests.analysis.test_fit_cli import small

DOCS = Path(__file__).resolve().parents[2] / "docs/data"
LONG = "norm_matched_without_positions_and_with_learned_taps"


def screen(*words: str, folder: Path | None = None) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "analysis", *words], capture_output=True, text=True, cwd=folder, check=False,
        env={**os.environ, "COLUMNS": "80"}, timeout=120,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def whole(text: str) -> None:
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def planted(folder: Path) -> Path:
    both = [small().assign(arm=arm, task=f"{arm}_task") for arm in (LONG, LONG + "_again")]
    for rows, end in zip(both, "ab", strict=True):
        rows["run_id"] += end
    both[1]["val_loss"] *= 1.1234567
    pd.concat(both).assign(task="t").to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


@pytest.mark.parametrize(
    "sides",
    [
        ("gamma_depth_small_tuned/table.parquet@raw", "gamma_depth_small_tuned/table.parquet@raw_first"),
        ("depth_exchange_small", "single_layer_induction_small"), ("long@A", "long@B"),
        ("long", "long"),
    ],
)  # fmt: skip
def test_compare_cuts_no_number(sides, tmp_path):
    for folder in DOCS.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / "long").mkdir()
    path = planted(tmp_path / "long")
    sides = [
        s.replace("long", str(path)).replace("@A", f"@{LONG}").replace("@B", f"@{LONG}_again")
        for s in sides
    ]
    by = ("--by", "arm,task,depth,width,gamma,lr") if sides[0] == sides[1] else ()
    text = screen("compare", *sides, *by, folder=tmp_path)
    whole(text)
    resolved = [s if Path(s.partition("@")[0]).is_absolute() else str(tmp_path / s) for s in sides]
    cells = compare_sides(*resolved, *by[1:])["cells"]
    means = [f"{c['mean_a']:.4g}" for c in cells]
    assert all(m in text for m in means)
    joined = text.replace("\n", "").replace(" ", "")
    assert all(str(c["arm"]).replace(" ", "") in joined for c in cells if "arm" in c)


def test_where_no_screen_is_known_a_wide_table_is_one_row_a_line(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    out = io.StringIO()
    rows = [[LONG, LONG, LONG], ["a", "b", "c"]]
    show_table(screen_of(out), ["one", "two", "three"], rows, 1)
    assert [line.split() for line in out.getvalue().splitlines()[1:]] == rows


@pytest.mark.parametrize("table", ["controls_small", "single_layer_induction_small", "long"])
def test_arms_cuts_nothing(table, tmp_path):
    path = planted(tmp_path) if table == "long" else DOCS / table / "table.parquet"
    text = screen("arms", str(path), "--out", str(tmp_path / "figures"))
    whole(text)
    from analysis.contrasts.arms import compare_arms
    from analysis.tables.groups import load_groups

    joined = text.replace("\n", "").replace(" ", "")
    for row in compare_arms(load_groups(path)).rows:
        assert f"{row['val_loss']:.3g}" in joined and str(row["arm"]).replace(" ", "") in joined


def test_fit_and_law_and_cost_stay_within(tmp_path):
    path = planted(tmp_path)
    shutil.copy(DOCS / "gamma_depth_small_tuned/table.parquet", tmp_path / "real.parquet")
    for words in (
        ("fit", str(path), "--quick"), ("fit", str(tmp_path / "real.parquet"), "--quick"),
        ("law", "power", str(path), "--map", "x=depth,y=val_loss"),
        ("cost", str(DOCS / "depth_exchange_small/table.parquet"), "--out", str(tmp_path / "f")),
    ):  # fmt: skip
        whole(screen(*words))
