"""Whatever differs from the frozen analysis is exploratory wherever it is read, and never takes
the frozen one's place."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.cli import main
from analysis.gamma_star.saved import saved
from analysis.tables.laws_json import read
from analysis.tables.table import Primary, load
from tests.worlds import DEPTHS_8, World, power, simulate

WORLD = World("w", power(4.0, 0.7), depths=(1, 2, 3, 4), tuned=False, seeds=2)


def written(folder: Path, frame: pd.DataFrame | None = None, **about) -> Path:
    """A table as `collect` writes it."""
    frame = simulate(WORLD, np.random.default_rng(0)) if frame is None else frame
    about = {"law": asdict(Primary()), "law_status": "frozen", "sweep": "w", **about}
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    path = folder / "table.parquet"
    pq.write_table(arrow.replace_schema_metadata({b"orchestrator": json.dumps(about)}), path)
    return path


def shown(capsys, *words: str) -> str:
    assert main(["fit", *words]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_a_verdict_bought_by_leaving_depths_out_says_so_and_stands_beside_the_frozen_one(
    tmp_path, capsys
):
    bent = World("w", lambda n: power(4.17, 0.74)(n) + np.where(n == 12, 0.8, 0.0), noise=0.03)
    path = written(tmp_path, simulate(bent, np.random.default_rng(0)))
    frozen = shown(capsys, str(path), "--quick")
    before = (tmp_path / "laws.json").read_bytes()
    assert read(tmp_path / "laws.json")[0].verdict == "not supported"
    assert "exploratory" not in frozen

    laundered = shown(capsys, str(path), "--where", "depth != 12")
    (laws,) = tmp_path.glob("laws.exploratory-*.json")
    (law,) = read(laws)
    assert law.verdict == "supported"
    assert law.provenance["status"] == "exploratory"
    assert "supported (exploratory: rows depth != 12)" in laundered
    assert (tmp_path / "laws.json").read_bytes() == before
    assert sorted(set(DEPTHS_8) - {12}) == [o["depth"] for o in law.data["optima"]]

    main(["report", str(path), "--where", "depth != 12", "--out", str(tmp_path / "r.html")])
    assert "(exploratory: rows depth != 12)" in (tmp_path / "r.html").read_text()
    main(["report", str(path), "--out", str(tmp_path / "frozen.html")])
    assert "(exploratory:" not in (tmp_path / "frozen.html").read_text()


DIFFERENT = (
    ["--metric", "mean_loss"], ["--form", "quadratic"], ["--form", "cubic"], ["--window", "1.5"],
    ["--where", "depth > 1"], ["--where", "seed == 0"], ["--hold-out", "depth == 2"],
    ["--form", "cubic", "--where", "gamma < 5"],
)  # fmt: skip
SAME = (
    [], ["--metric", "val_loss"], ["--form", "two_sided"], ["--hold-out", "deepest"],
    ["--where", "depth > 0"], ["--metric", "val_loss", "--where", "seed >= 0"],
)  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    frame = simulate(WORLD, np.random.default_rng(0))
    return written(tmp_path_factory.mktemp("w"), frame.assign(mean_loss=frame["val_loss"] * 1.5))


def laws_of(table: Path, flags: list[str]) -> Path:
    """The file that a fit wrote."""
    old = {p: p.stat().st_mtime_ns for p in table.parent.glob("laws*")}
    assert main(["fit", str(table), "--quick", *flags]) == 0
    (new,) = [p for p in table.parent.glob("laws*") if p.stat().st_mtime_ns != old.get(p)]
    return new


@pytest.mark.parametrize("flags", DIFFERENT, ids=" ".join)
def test_every_choice_that_differs_is_exploratory(flags, table, capsys):
    path = laws_of(table, flags)
    assert path.name.startswith("laws.exploratory-")
    (law,) = read(path)
    assert law.provenance["status"] == "exploratory"
    assert len(law.provenance["differs"]) == len(flags) / 2
    assert "(exploratory: " in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("flags", SAME, ids=lambda f: " ".join(f) or "nothing")
def test_the_frozen_choice_in_other_words_is_frozen(flags, table, capsys):
    path = laws_of(table, flags)
    assert path.name == "laws.json"
    assert read(path)[0].provenance["status"] == "frozen"
    assert "exploratory" not in capsys.readouterr().out


def test_different_choices_have_different_files(table):
    names = [laws_of(table, flags).name for flags in DIFFERENT]
    assert len(set(names)) == len(DIFFERENT)


def test_a_law_changed_after_submission_is_exploratory_with_its_own_choices(tmp_path, capsys):
    path = written(tmp_path, law_status="exploratory", law_history=[{"metric": "accuracy"}, {}])
    assert "(exploratory: the sweep's law was changed" in shown(capsys, str(path), "--quick")
    law = read(tmp_path / "laws.json")[0]
    assert law.provenance["law_history"] == [{"metric": "accuracy"}, {}]
    from analysis.gamma_star import fit
    from analysis.show.figures import figures

    drawn = figures(fit(load(path), explore=False))
    heads = [t.get_text() for t in drawn["gamma_star_law"].texts]
    assert any("exploratory" in head for head in heads)


def test_a_table_that_no_sweep_froze_says_so(tmp_path, capsys):
    simulate(WORLD, np.random.default_rng(0)).to_csv(tmp_path / "table.csv", index=False)
    said = shown(capsys, str(tmp_path / "table.csv"), "--quick")
    assert "no analysis was frozen before these runs" in said


def test_looks_are_counted_for_this_table_alone(tmp_path, capsys):
    path = written(tmp_path)
    assert "before" not in shown(capsys, str(path), "--quick")
    shown(capsys, str(path), "--quick", "--form", "cubic")
    with (tmp_path / "looks.jsonl").open("a") as file:
        file.write('{"torn')
        file.write("\n")
    said = shown(capsys, str(path), "--quick")
    assert "was fitted 2 times before; 2 different analyses of it so far" in said
    assert read(tmp_path / "laws.json")[0].provenance["looks"] == {"before": 2, "analyses": 2}
    written(tmp_path, simulate(WORLD, np.random.default_rng(1)))
    assert "before" not in shown(capsys, str(path), "--quick")


def test_table_and_code_are_on_record(tmp_path, capsys):
    frame = simulate(WORLD, np.random.default_rng(0))
    frame["code_version"] = np.where(frame["seed"] == 0, "a1", "b2")
    said = shown(capsys, str(written(tmp_path, frame)), "--quick")
    assert "trained by 2 versions of the code" in said
    origin = read(tmp_path / "laws.json")[0].provenance
    assert origin["code_versions"] == ["a1", "b2"] and len(origin["table"]) == 64


def test_an_exploratory_fit_does_not_take_the_saved_ones_place(tmp_path):
    path = written(tmp_path)
    main(["fit", str(path)])
    kept = (tmp_path / "fit.json").read_bytes()
    main(["fit", str(path), "--form", "cubic"])
    main(["fit", str(path), "--quick"])
    assert (tmp_path / "fit.json").read_bytes() == kept
    assert saved(load(path)).form == "two_sided"


def test_a_place_that_takes_no_note_is_said(tmp_path, capsys):
    path = written(tmp_path)
    (tmp_path / "looks.jsonl").mkdir()
    assert "looks at it are not counted" in shown(capsys, str(path), "--quick")
    assert read(tmp_path / "laws.json")[0].provenance["looks"] is None


def test_figures_and_report_of_an_exploratory_fit_stand_beside_the_frozen(tmp_path):
    path = written(tmp_path)
    for verb in ("plot", "report"):
        assert main([verb, str(path)]) == 0
        assert main([verb, str(path), "--where", "depth > 1"]) == 0
    for name in ("figures*", "report*"):
        assert len(list(tmp_path.glob(name))) == 2
