"""The primary analysis is typed at planning, frozen by the first submission, and never laundered."""

from __future__ import annotations

import json
import typing
from dataclasses import asdict, fields
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestrator.cli import main
from orchestrator.law import METRICS, Law, differences, status_of

ONE = ["model.depth=1", "seed=0", "model.momentum.gamma=0"]
WRONG = [
    ("{name: gama_star, metric: val_los, foo: 3}", "sweep.law.name=gama_star: must be one of"),
    ("{name: gama_star}", "(did you mean gamma_star?)"),
    ("{metric: val_los}", "sweep.law.metric=val_los: must be one of val_loss"),
    ("{metric: val_los}", "(did you mean val_loss?)"),
    ("{foo: 3}", "sweep.law.foo: no such setting"),
    ("{tuning_seed: [1]}", "sweep.law.tuning_seed: no such setting (did you mean sweep.law.tun"),
    ("{metrics: accuracy}", "sweep.law.metrics: no such setting (did you mean sweep.law.metric?)"),
    ("{form: cubik}", "sweep.law.form=cubik: must be one of two_sided, quadratic, cubic (did you"),
    ("{window: 0}", "sweep.law.window=0.0: must be above 0"),
    ("{window: wide}", "sweep.law.window=wide: must be a number or null"),
    ("{tuning_seeds: 3}", "sweep.law.tuning_seeds=3: must be a list"),
    ("{tuning_seeds: [-1]}", "sweep.law.tuning_seeds=[-1]: must be seeds"),
    ("gamma_star", "sweep.law=gamma_star: must be a group of settings"),
]


def says(capsys: pytest.CaptureFixture, *argv: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with pytest.raises(SystemExit) as stop:
        main(list(argv))
    said = capsys.readouterr()
    return stop.value.code, said.out, said.err


@pytest.mark.parametrize(("law", "words"), WRONG, ids=lambda v: v[:40])
@pytest.mark.parametrize("verb", ["plan", "submit"])
def test_a_wrong_law_is_one_line(sweep_file, store, capsys, verb, law, words):
    text = sweep_file.read_text()
    sweep_file.write_text(text.replace("{name: gamma_star, metric: val_loss}", law))
    code, _, error = says(capsys, verb, "small")
    assert code == 2 and words in error and error.count("\n") == 1, error
    assert not store.exists()


def about(path: str = "results/small/table.parquet") -> dict:
    return json.loads(pq.read_schema(path).metadata[b"orchestrator"])


def test_an_edited_law_is_refused_and_going_on_makes_everything_exploratory(
    sweep_file, store, tiny, capsys
):
    grid = dict(word.split("=") for word in (*tiny, *ONE) if not word.startswith("task=r"))
    text = sweep_file.read_text().partition("hydra:")[0]
    sweep_file.write_text(f"{text}hydra: {json.dumps({'sweeper': {'params': grid}})}\n")
    words = ["small"]
    assert says(capsys, "submit", *words)[0] == 0
    assert says(capsys, "collect", "small")[0] == 0
    first = about()
    assert first["law"] == asdict(Law()) and first["law_status"] == "frozen"
    assert [entry["law"] for entry in first["law_history"]] == [asdict(Law())]

    edited = sweep_file.read_text().replace("metric: val_loss", "metric: accuracy, window: 2")
    sweep_file.write_text(edited)
    manifests = list((store / "sweeps/small").iterdir())
    for verb in ("plan", "submit"):
        code, _, error = says(capsys, verb, *words)
        assert code == 2 and error.count("\n") == 1 and "--new-law" in error
        assert "sweep.law.metric=accuracy (frozen: val_loss)" in error
        assert "sweep.law.window=2.0 (frozen: null)" in error
    assert list((store / "sweeps/small").iterdir()) == manifests
    # today's file chooses runs, never the law
    assert says(capsys, "collect", "small", "--current", "--results", "now")[0] == 0
    assert about("now/small/table.parquet")["law"] == asdict(Law())

    assert says(capsys, "plan", *words, "--new-law")[0] == 0
    assert says(capsys, "collect", "small")[0] == 0 and about() == first  # planned alone
    assert says(capsys, "submit", *words, "--new-law")[0] == 0
    assert says(capsys, "collect", "small")[0] == 0
    second = about()
    assert second["law"]["metric"] == "accuracy" and second["law_status"] == "exploratory"
    assert [e["law"]["metric"] for e in second["law_history"]] == ["val_loss", "accuracy"]
    assert [e["number"] for e in second["law_history"]] == [1, 2]
    assert all(e["submission"] and e["time"] and e["runs"] for e in second["law_history"])
    assert says(capsys, "submit", *words)[0] == 0  # the new one holds now

    sweep_file.write_text(edited.replace("metric: accuracy, window: 2", "metric: val_loss"))
    assert says(capsys, "submit", *words)[0] == 2
    assert says(capsys, "submit", *words, "--new-law")[0] == 0
    assert says(capsys, "collect", "small")[0] == 0
    third = about()  # back to the first: still looked at in between
    assert third["law"] == first["law"] and third["law_status"] == "exploratory"
    assert len(third["law_history"]) == 3


def test_a_law_on_the_command_line_is_the_files(sweep_file, tiny, capsys):
    words = ["small", *tiny, *ONE]
    assert says(capsys, "submit", *words, "sweep.law.metric=mean_loss")[0] == 0
    code, _, error = says(capsys, "submit", *words)
    assert code == 2 and "sweep.law.metric=val_loss (frozen: mean_loss)" in error
    assert says(capsys, "submit", *words, "sweep.law.metric=mean_loss")[0] == 0


def test_a_default_that_is_written_out_is_no_change(sweep_file, tiny, capsys):
    words = ["small", *tiny, *ONE]
    assert says(capsys, "submit", *words)[0] == 0
    sweep_file.write_text(sweep_file.read_text().replace("metric: val_loss", "form: two_sided"))
    assert says(capsys, "submit", *words)[0] == 0


def test_a_law_chosen_once_everything_is_trained_is_exploratory(sweep_file, tiny, capsys):
    words = ["small", *tiny, *ONE]
    assert says(capsys, "submit", *words)[0] == 0
    again = ["sweep.name=other", "sweep.law.metric=accuracy"]
    assert says(capsys, "submit", *words, *again)[0] == 0
    assert says(capsys, "collect", "other")[0] == 0
    assert about("results/other/table.parquet")["law_status"] == "exploratory"
    assert says(capsys, "collect")[0] == 0  # the whole store: no analysis of its own
    assert about("results/all/table.parquet")["law_status"] == "exploratory"


def test_a_manifest_from_before_the_law_was_typed(sweep_file, tiny, store, capsys):
    words = ["small", *tiny, *ONE]
    assert says(capsys, "submit", *words)[0] == 0
    (path,) = (store / "sweeps/small").glob("[0-9]*.json")
    data = json.loads(path.read_text())
    old = {k: v for k, v in data.items() if k not in ("new_law", "finished", "laws")}
    path.write_text(json.dumps({**old, "law": {"metric": "val_loss", "foo": 3}}) + "\n")
    code, _, error = says(capsys, "submit", *words)
    assert code == 2 and "sweep.law.foo=null (frozen: 3)" in error
    assert says(capsys, "submit", *words, "--new-law")[0] == 0


def of_an_earlier_version(path: Path) -> None:
    """A record as it was written before it kept the history of the laws."""
    data = json.loads(path.read_text())
    path.write_text(
        json.dumps({k: v for k, v in data.items() if k not in ("laws", "crc32")}) + "\n"
    )


@pytest.mark.parametrize("repair", [False, True])
def test_a_damaged_first_manifest_loses_no_law(sweep_file, store, tiny, capsys, repair):
    words = ["small", *tiny, *ONE]
    edited = "sweep.law.metric=mean_loss"
    assert says(capsys, "submit", *words)[0] == 0
    (first,) = (store / "sweeps/small").glob("*.json")
    first.write_bytes(first.read_bytes()[:40])  # the only one: the law is in the packs
    if repair:
        assert says(capsys, "check", "--repair")[0] == 0
    code, _, error = says(capsys, "plan", *words, edited)
    assert code == 2 and f"{edited} (frozen: val_loss)" in error
    assert says(capsys, "submit", *words)[0] == 0
    assert says(capsys, "collect", "small")[0] == 0
    assert (about()["law"], about()["law_status"]) == (asdict(Law()), "frozen")
    # replaced by another one, and then all is lost but the manifest that says so
    assert says(capsys, "submit", *words, edited, "--new-law")[0] == 0
    *before, _ = sorted((store / "sweeps/small").glob("*.json"))
    for path in (*before, *store.glob("packs/*/pack.json")):
        path.write_bytes(path.read_bytes()[:40])
    assert says(capsys, "submit", *words, edited)[0] == 0
    assert says(capsys, "collect", "small")[0] == 0
    assert (about()["law"]["metric"], about()["law_status"]) == ("mean_loss", "exploratory")
    assert [e["law"]["metric"] for e in about()["law_history"]] == ["val_loss", "mean_loss"]


def test_a_law_that_is_lost_for_good_is_no_licence_for_another(sweep_file, store, tiny, capsys):
    words = ["small", *tiny, *ONE]
    assert says(capsys, "submit", *words)[0] == 0
    (first,) = (store / "sweeps/small").glob("*.json")
    of_an_earlier_version(next(store.glob("packs/*/pack.json")))
    first.write_bytes(b"")
    code, _, error = says(capsys, "submit", *words)
    assert code == 2 and "is lost with its record; go on with --new-law" in error
    assert says(capsys, "submit", *words, "--new-law")[0] == 0
    assert says(capsys, "submit", *words)[0] == 0  # the new one holds now
    assert says(capsys, "collect", "small")[0] == 0
    assert (about()["law"], about()["law_status"]) == (asdict(Law()), "exploratory")
    assert len(about()["law_history"]) == 2


def test_manifests_of_an_earlier_version_keep_their_history(sweep_file, store, tiny, capsys):
    words = ["small", *tiny, *ONE]
    edited = "sweep.law.metric=mean_loss"
    assert says(capsys, "submit", *words)[0] == 0
    assert says(capsys, "submit", *words, edited, "--new-law")[0] == 0
    for path in (*store.glob("sweeps/small/*.json"), *store.glob("packs/*/pack.json")):
        of_an_earlier_version(path)
    assert says(capsys, "submit", *words, edited)[0] == 0
    assert says(capsys, "collect", "small")[0] == 0
    assert [e["law"]["metric"] for e in about()["law_history"]] == ["val_loss", "mean_loss"]
    first, *_ = sorted(store.glob("sweeps/small/*.json"))
    first.write_bytes(b"{")  # the last one has learned it all from those before
    assert says(capsys, "collect", "small")[0] == 0
    assert [e["law"]["metric"] for e in about()["law_history"]] == ["val_loss", "mean_loss"]


def test_differences_of_laws():
    assert differences({}, asdict(Law())) == []
    assert differences({"metric": "accuracy"}, {}) == [
        "sweep.law.metric=val_loss (frozen: accuracy)"
    ]
    entry = {"law": {}, "runs": 2, "finished": None}
    assert status_of([entry]) == "frozen"
    assert status_of([{**entry, "finished": 2}]) == status_of([entry, entry]) == "exploratory"


def test_analysis_honours_what_is_declared():
    """The two packages don't import each other: this holds their lists together."""
    from analysis.gamma_star.curve import FORMS
    from analysis.tables.metrics import METRICS as FITTED
    from analysis.tables.table import Primary, read_primary

    assert FITTED == METRICS
    assert typing.get_args(typing.get_type_hints(Law)["form"]) == FORMS
    assert {f.name for f in fields(Law)} == {f.name for f in fields(Primary)}
    assert read_primary(asdict(Law())).metric == "val_loss"
