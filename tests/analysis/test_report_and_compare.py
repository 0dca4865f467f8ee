"""The report stands alone; a comparison matches cells and claims no more than it measured."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.contrasts.sides import compare_sides as compare
from analysis.errors import InputError
from analysis.show.html import page as report
from analysis.tables.table import Primary, Table
from tests.analysis import made_up


@pytest.fixture
def page():
    result = made_up.result(
        [
            made_up.arm("raw", {1: "interior", 2: "interior", 4: "interior"}, diverged=2),
            made_up.arm("<b>odd</b>", {1: "right", 2: "none"}, line=False),
        ]
    )
    runs = pd.concat(
        [
            c.observed.assign(depth=c.depth, arm=f.arm, status="completed", task="recall")
            for f in result.arms.values()
            for c in f.curves
        ]
    )
    loaded = Table(Path("made/up/table.parquet"), runs, "demo", Primary(), len(runs))
    return report.of_fit(loaded, result)


def test_report_needs_nothing_else(page):
    assert not re.search(r"(src|href)\s*=\s*['\"](?!data:|#)", page)
    assert "<script " not in page and "@import" not in page and "url(" not in page
    assert page.count("<figure>") == page.count("data:image/png;base64,") >= 4


def test_report_says_verdicts_and_what_is_not_drawn_and_escapes(page):
    assert "not distinguishable" in page and "0.6 [0.41, 0.79]" in page
    assert "Not drawn:" in page and "collapse against N_eff" in page
    assert "<b>odd</b>" not in page and "&lt;b&gt;odd&lt;/b&gt;" in page
    assert "nan" not in re.sub(r"data:image[^']*", "", page)


def runs(shift: float, seeds=range(4), depths=(1, 2), arm="raw") -> pd.DataFrame:
    r = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "arm": arm,
                "depth": d,
                "gamma": g,
                "seed": s,
                "val_loss": 1.0 / d + 0.1 * g + 0.3 * s + shift + r.normal(0, 0.001),
            }
            for d in depths
            for g in (0.0, 0.5)
            for s in seeds
        ]
    )


def test_common_seeds_are_paired(tmp_path):
    runs(0.0).to_csv(tmp_path / "a.csv", index=False)
    runs(0.02).to_csv(tmp_path / "b.csv", index=False)
    found = compare(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    assert found["by"] == ["depth", "gamma"] and len(found["cells"]) == 4
    for cell in found["cells"]:  # seeds differ by 0.3 each: unpaired, 0.02 would drown
        assert cell["paired"] and cell["low"] < -0.0199 and cell["high"] < 0


def test_unmatched_cells_are_counted_and_pooled_ones_get_no_interval(tmp_path):
    runs(0.0, depths=(1, 2, 3)).to_csv(tmp_path / "a.csv", index=False)
    runs(0.0).to_csv(tmp_path / "b.csv", index=False)
    a, b = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    assert compare(a, b)["only_a"] == 2
    pooled = compare(a, b, by="depth")
    assert pooled["pooled"] == ["gamma"] and all(c["low"] is None for c in pooled["cells"])


def test_arms_of_one_table(tmp_path):
    both = pd.concat([runs(0.0), runs(0.5, arm="norm_matched")])
    both.to_csv(tmp_path / "t.csv", index=False)
    t = str(tmp_path / "t.csv")
    found = compare(f"{t}@raw", f"{t}@norm_matched")
    assert all(cell["high"] < -0.4 for cell in found["cells"])
    with pytest.raises(InputError, match="no arm 'rw'; it has norm_matched, raw"):
        compare(f"{t}@rw", t)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "t.csv"), "no table"),
        (("t.csv", "t.csv", "deph"), "--by 'deph'"),
        (("t.csv", "t.csv", None, "losss"), "--metric losss"),
        (("t.csv", "published"), "run 'analysis fit' first"),
        (("t.csv", "t.csv", None, None, "depth > 9"), "leaves none"),
    ],
)
def test_bad_comparisons_are_one_line(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    runs(0.0).to_csv("t.csv", index=False)
    with pytest.raises(InputError, match=re.escape(said)):
        compare(*arguments)


def test_the_page_opens_with_the_verdict_and_the_laws_figure(tmp_path):
    from analysis.cli import main
    from tests.analysis.test_fit_cli import small

    small().to_parquet(tmp_path / "table.parquet")
    assert main(["report", str(tmp_path / "table.parquet")]) == 0
    page = (tmp_path / "report.html").read_text()
    places = [
        page.index(word) for word in ("<nav>", "</nav><h2", "Best γ against depth", "Data</h2>")
    ]
    assert places == sorted(places)
    for i in range(page.count("<h2 ")):
        assert page.count(f"id='s{i}'") == page.count(f"href='#s{i}'") == 1
    prose = "".join(part.partition(">")[2] for part in page.split("<"))
    assert " gamma " not in prose and "gamma*" not in prose
    assert "<dt>formed</dt>" in page and "prefers-color-scheme:dark" in page


def test_a_table_shows_no_column_that_says_nothing():
    from analysis.show.html.grid import grid

    page = grid(["depth", "nothing", "word"], [[1, None, "a"], [2, float("nan"), ""]])
    assert "nothing" not in page and "<th>depth</th><th>word</th>" in page
    assert grid(["nothing"], [[None]]) == ""


def test_values_that_are_none_are_counted_or_refused(tmp_path):
    rows = pd.DataFrame({"depth": [1, 1, 2, 2], "val_loss": [1.0, np.nan, 2.0, np.inf]})
    rows.to_csv(tmp_path / "lost.csv", index=False)
    rows.fillna(1.0).replace(np.inf, 2.0).to_csv(tmp_path / "whole.csv", index=False)
    sides = [str(tmp_path / f"{name}.csv") for name in ("lost", "whole")]
    found = compare(*sides, by="depth")
    assert found["without_value"] == [2, 0] and [c["n_a"] for c in found["cells"]] == [1, 1]
    rows.astype(object).fillna("abc").to_csv(tmp_path / "lost.csv", index=False)
    with pytest.raises(InputError, match="lost.*'val_loss' holds 'abc', which is not a number"):
        compare(*sides, by="depth")
