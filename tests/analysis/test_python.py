"""`import analysis` in a notebook: tables or paths go in, what comes out shows itself."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.cli import main
from analysis.errors import InputError
from tests.worlds import World, power, simulate

WORLD = World("w", power(1.0, 0.7), depths=(1, 2, 3, 4), tuned=False, seeds=3)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A table with two arms and its curves."""
    random = np.random.default_rng(0)
    parts = [simulate(WORLD.but(arm=arm), random) for arm in ("raw", "norm_matched")]
    runs = pd.concat(parts, ignore_index=True).assign(flops=1e9, params=1e4, wall_s=1.0)
    folder = tmp_path_factory.mktemp("table")
    runs.to_parquet(folder / "table.parquet")
    curves = [
        pd.DataFrame({"run_id": runs["run_id"], "step": step, "tokens": step * 1000,
                      "val_loss": runs["val_loss"] * (1000 / step) ** 0.2})
        for step in (100, 300, 1000)
    ]  # fmt: skip
    pd.concat(curves, ignore_index=True).to_parquet(folder / "curves.parquet")
    return folder / "table.parquet"


def test_runs_and_curves_are_data_frames_of_the_rows_chosen(path):
    table = analysis.load(path, where="depth == 2")
    assert isinstance(table.runs, pd.DataFrame) and set(table.runs["depth"]) == {2}
    assert isinstance(table.curves, pd.DataFrame)
    assert set(table.curves["run_id"]) == set(table.runs["run_id"])
    assert len(table.curves) == 3 * len(table.runs)


def test_without_curves_there_are_none(path, tmp_path):
    (tmp_path / "table.parquet").write_bytes(path.read_bytes())
    assert analysis.load(tmp_path / "table.parquet").curves.empty


@pytest.mark.parametrize("given", ["path", "table"])
def test_every_function_takes_a_table_or_its_path(given, path, tmp_path):
    table = path if given == "path" else analysis.load(path)
    fit = analysis.fit(table, explore=False)
    assert [law.arm for law in fit.laws] == ["raw", "norm_matched"]
    rows = analysis.arms(table, where="depth == 1").rows
    assert [r["arm"] for r in rows] == ["none", "raw", "norm_matched"]
    assert len(analysis.cost(table)) == 1
    assert analysis.compare(table, table, by="arm,depth,gamma")["cells"]
    if given == "path":  # each draws every figure
        drawn = analysis.plot(table, tmp_path / "figures", result=fit)
        assert drawn and all(p.is_file() for p in drawn)
    else:
        page = analysis.report(table, tmp_path / "new" / "report.html", result=fit)
        assert "Verdict" in page.read_text()


def test_rows_in_memory_are_a_table_that_lies_nowhere(path, tmp_path, monkeypatch):
    monkeypatch.chdir(path.parent)  # whose curves are not those of the rows
    rows = pd.read_parquet(path)
    fit, same = (analysis.fit(t, explore=False) for t in (rows, path))
    assert [law.parameters for law in fit.laws] == [law.parameters for law in same.laws]
    assert analysis.arms(rows).rows == analysis.arms(path).rows
    for a, b in ((rows, path), (path, rows), (rows, rows)):
        assert analysis.compare(a, b, by="arm,depth,gamma")["cells"]
    page = analysis.report(rows, tmp_path / "report.html", result=fit)
    assert "Verdict" in page.read_text()
    for call, words in (
        (analysis.cost, "a table in memory: no curves.parquet beside it"),
        (analysis.plot, "a table in memory lies in no folder: name the place of figures"),
        (lambda r: analysis.fit(r.drop(columns="depth")), "a table in memory: lacks the column"),
    ):
        with pytest.raises(InputError, match=words):
            call(rows)


@pytest.mark.parametrize(
    "given", [None, [1], {"a": [1]}, pd.Series([1.0])], ids=lambda g: type(g).__name__
)
def test_what_is_no_table_is_said(given):
    for call in (analysis.fit, analysis.arms, analysis.cost, lambda g: analysis.compare(g, g),
                 lambda g: analysis.law("power", g, "x=a,y=b")):  # fmt: skip
        with pytest.raises(InputError, match="a table is a path or a DataFrame, not a"):
            call(given)


def test_what_comes_back_shows_itself(path):
    table = analysis.load(path)
    fit = analysis.fit(table, explore=False)
    rows = pd.DataFrame({"n": np.geomspace(1e6, 1e9, 12)})
    rows["loss"] = 3 * rows["n"] ** -0.1 * np.exp(np.random.default_rng(1).normal(0, 0.002, 12))
    law = analysis.law("power", rows, {"x": "n", "y": "loss"})
    shown = {
        "table": (table, "raw"), "fit": (fit, "Verdict"), "law": (law, "exponent"),
        "entry": (law.law, "power"), "arms": (analysis.arms(table), "norm_matched"),
        "cost": (analysis.cost(table), "loss"),
        "compare": (analysis.compare(table, table, by="arm,depth,gamma"), "A - B"),
    }  # fmt: skip
    for name, (result, word) in shown.items():
        html = result._repr_html_()
        assert html.startswith("<") and word in html and ">nan<" not in html, name


def test_the_verbs_options_are_the_functions_arguments(capsys):
    for verb, function in {"fit": analysis.fit, "law": analysis.law, "arms": analysis.arms}.items():
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        text = capsys.readouterr().out
        for name in inspect.signature(function).parameters:
            if name in ("table", "form", "data", "mapping", "explore"):
                continue
            assert f"--{name.replace('_', '-')}" in text, (verb, name)


def test_bad_input_is_one_line(path):
    table = analysis.load(path)
    for wrong in (
        lambda: analysis.fit(table, form="parabola"), lambda: analysis.arms(table, metric="nothing"),
        lambda: analysis.arms(table, where="depth > 99"), lambda: analysis.load(path.parent),
        lambda: analysis.compare(table, "no-such-sweep"),
    ):  # fmt: skip
        with pytest.raises(InputError) as error:
            wrong()
        assert len(str(error.value).splitlines()) == 1
