"""A place that can't be written is one line before the work; a missing folder is made; what a verb and
its Python function write is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import analysis
import analysis.errors
from analysis.cli import main
from tests.analysis.test_fit_cli import small

VERBS = {
    "plot": ("--out", True), "report": ("--out", False), "arms": ("--out", True),
    "cost": ("--out", True), "law": ("--figures", True),
}  # fmt: skip
WORK = {
    "plot": "analysis.show.figures.figures", "report": "analysis.show.html.page.of_fit",
    "arms": "analysis.contrasts.arms.compare_arms", "cost": "analysis.contrasts.cost.costs",
    "law": "analysis.forms.law.fit_table",
}  # fmt: skip


@pytest.fixture
def table(tmp_path) -> Path:
    runs = small().assign(params=lambda r: 1e4 * r["depth"])
    runs.to_parquet(tmp_path / "table.parquet")
    curves = [runs[["run_id", "val_loss"]].assign(step=s, tokens=10 * s) for s in (10, 100)]
    import pandas as pd

    pd.concat(curves).to_parquet(tmp_path / "curves.parquet")
    return tmp_path / "table.parquet"


def command(verb: str, table: Path, out: Path) -> list[str]:
    if verb == "law":
        return ["law", "power", str(table), "--map", "x=params,y=val_loss", "--figures", str(out)]
    return [verb, str(table), VERBS[verb][0], str(out)]


def places(folder: Path, is_folder: bool) -> dict[str, Path]:
    """Where nothing can be written, by what is wrong there."""
    (folder / "file").write_text("mine")
    (folder / "folder").mkdir()
    return {
        "under a file": folder / "file" / "out",
        "of the other kind": folder / ("file" if is_folder else "folder"),
        "read-only": Path("/proc/nowhere/out"),
    }


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_that_cannot_be_written_is_one_line_before_the_work(
    verb, table, tmp_path, capsys, monkeypatch
):
    def work(*_, **__):
        raise AssertionError("worked before it looked at the place")

    monkeypatch.setattr(WORK[verb], work)
    for what, out in places(tmp_path, VERBS[verb][1]).items():
        assert main(command(verb, table, out)) == 2, what
        said = capsys.readouterr().err.strip()
        assert len(said.splitlines()) == 1 and str(out) in said, what
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_folder_is_made(verb, table, tmp_path):
    out = tmp_path / "new" / "deep" / "out"
    assert main(command(verb, table, out)) == 0
    assert out.exists()


def test_fit_looks_at_its_folder_before_it_fits(table, capsys, monkeypatch):
    def refused(path, folder=False):
        raise analysis.errors.InputError(f"can't write {path}: read-only")

    monkeypatch.setattr("analysis.tables.files.check_place", refused)
    monkeypatch.setattr("analysis.gamma_star.fit", lambda *_, **__: 1 / 0)
    assert main(["fit", str(table)]) == 2
    assert "read-only" in capsys.readouterr().err


def test_a_verb_and_its_function_write_the_same(table, tmp_path):
    fit = analysis.fit(table)
    main(["plot", str(table), "--out", str(tmp_path / "by verb")])
    paths = analysis.plot(table, tmp_path / "by function", result=fit)
    names = sorted(p.name for p in paths)
    assert names == sorted(p.name for p in (tmp_path / "by verb").iterdir())
    main(["report", str(table), "--out", str(tmp_path / "verb.html")])
    page = analysis.report(table, tmp_path / "function.html", result=fit)
    assert page.read_text() == (tmp_path / "verb.html").read_text()
