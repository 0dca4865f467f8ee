"""laws.json: strict JSON there and back, written whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from analysis.errors import InputError
from analysis.tables.laws_json import Law, Parameter, dumps, read, write

LAW = Law(
    law="gamma_star", form="gamma*(N) = a * N^-b", metric="val_loss", arm="raw",
    parameters={"b": Parameter(np.float64(0.7), None, np.inf, False)}, verdict="not supported",
    checks={"stable": {"passed": np.bool_(False), "value": float("nan")}},
    data={"seeds": np.int64(3), "r2": np.array([0.5, np.nan])},
)  # fmt: skip


def test_what_is_not_a_number_is_null():
    (law,) = json.loads(dumps([LAW]), parse_constant=lambda word: pytest.fail(word))
    assert law["parameters"]["b"] == {
        "estimate": 0.7, "low": None, "high": None, "identified": False,
    }  # fmt: skip
    assert law["checks"]["stable"] == {"passed": False, "value": None}
    assert law["data"] == {"seeds": 3, "r2": [0.5, None]}


def test_there_and_back(tmp_path):
    path = tmp_path / "laws.json"
    write([LAW], path)
    (law,) = read(path)
    assert law.to_json() == LAW.to_json() and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "{}", "[{}]", '[{"law": 1, "parameters": 3}]'])
def test_what_is_no_laws_file_is_said(text, tmp_path):
    path = tmp_path / "laws.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read(path)


def test_a_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "none").write_text("a file")
    with pytest.raises(InputError, match="can't write"):
        write([LAW], tmp_path / "none" / "laws.json")


def test_an_unknown_verdict_is_refused():
    with pytest.raises(ValueError, match="certain"):
        Law("gamma_star", "", "val_loss", None, {}, verdict="certain")


@pytest.mark.parametrize(
    ("value", "said"),
    [(614.2, "614"), (39_123.4, "39100"), (999_999.0, "1000000"), (1.2e7, "1.2e+07"),
     (-1234.5, "-1230"), (-0.0, "0"), (0.00012345, "0.000123"), (float("nan"), "—"), (1710, "1710"), (None, "—")],
)  # fmt: skip
def test_a_number_that_a_person_reads_has_three_digits_and_no_power_of_ten_below_a_million(
    value, said
):
    from analysis.text import number

    assert number(value) == said
