"""A fit saved whole comes back bit for bit, and is believed only for the table it was made of."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.errors import InputError
from analysis.gamma_star import saved, sweep
from analysis.gamma_star.sweep import fit_table
from analysis.tables.records_json import decode, encode
from analysis.tables.table import load
from tests.analysis.test_fit_cli import small


@dataclass(frozen=True)
class Record:
    values: np.ndarray
    frame: pd.DataFrame
    inner: Record | None = None


def assert_same(one, other, at="fit"):
    """Equal to the last bit, types included."""
    assert type(one) is type(other), at
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, at
        np.testing.assert_array_equal(one, other, err_msg=at)
    elif isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True, obj=at)
    elif hasattr(one, "__dataclass_fields__"):
        for name in one.__dataclass_fields__:
            assert_same(getattr(one, name), getattr(other, name), f"{at}.{name}")
    elif isinstance(one, dict):
        assert list(one) == list(other), at
        for key in one:
            assert_same(one[key], other[key], f"{at}[{key}]")
    elif isinstance(one, list):
        assert len(one) == len(other), at
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{at}[{i}]")
    else:
        assert one == other or (np.isnan(one) and np.isnan(other)), at


@pytest.mark.parametrize("seed", range(5))
def test_records_of_any_numbers_come_back_bit_for_bit(seed):
    random = np.random.default_rng(seed)
    odd = random.choice([np.nan, np.inf, -np.inf, 0.1, 5e-324, 1e308, -0.0], 40)
    frame = pd.DataFrame({
        "real": random.normal(size=40) * 10.0 ** random.integers(-300, 300, 40), "odd": odd,
        "count": random.integers(-(2**62), 2**62, 40), "flag": random.random(40) > 0.5,
        "name": random.choice(np.array(["γ", "nan", "", "[x]"], object), 40),
        "mixed": [None if v > 0.5 else float(v) for v in random.random(40)],
    })  # fmt: skip
    one = Record(odd.reshape(8, 5), frame, Record(np.arange(3), frame.iloc[:0]))
    text = json.dumps(encode(one), allow_nan=False)
    back = decode(json.loads(text), {"Record": Record})
    assert_same(one, back)
    assert np.signbit(back.values).tolist() == np.signbit(one.values).tolist()


def test_what_is_no_record_is_refused():
    for value in (object(), {1: "a"}, {"@": "x"}, {"a": {1, 2}}):
        with pytest.raises(TypeError):
            encode(value)


@pytest.fixture
def table(tmp_path) -> Path:
    frame = small(depths=(1, 2, 3, 4), seeds=3)
    frame.loc[::17, "status"], frame.loc[::17, "val_loss"] = "diverged", np.nan
    frame.to_parquet(tmp_path / "table.parquet")
    return tmp_path / "table.parquet"


def test_a_fit_comes_back_whole(table):
    loaded = load(table)
    result = fit_table(loaded)
    saved.save(result, loaded)
    back = saved.saved(loaded)
    assert_same(result, back)
    assert all(law is back.arms[law.arm].law for law in back.laws)


def test_plot_and_report_fit_nothing_again(table, monkeypatch):
    assert main(["fit", str(table)]) == 0

    def refuse(*_, **__):
        raise AssertionError("fitted again")

    monkeypatch.setattr(saved, "fit_table", refuse)
    monkeypatch.setattr(sweep, "fit_table", refuse)
    assert main(["plot", str(table)]) == 0
    assert main(["report", str(table)]) == 0
    assert "Verdict" in (table.parent / "report.html").read_text()


@pytest.mark.parametrize("change", ["table", "curves", "rows", "format", "torn", "none"])
def test_a_fit_of_anything_else_is_not_believed(change, table):
    loaded = load(table)
    path = saved.save(fit_table(loaded, explore=False), loaded)
    assert saved.saved(loaded) is not None
    if change == "table":
        small(depths=(1, 2, 3, 4), seeds=2).to_parquet(table)
    elif change == "curves":
        loaded.curves_path.write_bytes(b"other")
    elif change == "rows":
        loaded = load(table, where="depth > 1")
    elif change == "format":
        path.write_text(path.read_text().replace(f'"format":{saved.FORMAT}', '"format":0'))
    elif change == "torn":
        path.write_text(path.read_text()[:-400])
    else:
        path.unlink()
    assert saved.saved(loaded) is None


def test_an_unfinished_fit_is_not_taken_for_a_finished_one(table):
    loaded = load(table)
    short = replace(loaded, expected=loaded.expected + 1)
    saved.save(fit_table(short, partial=True, explore=False), short)
    assert saved.saved_or_fitted(short, partial=True).partial
    with pytest.raises(InputError, match="--partial"):
        saved.saved_or_fitted(short)
