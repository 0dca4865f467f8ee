"""`analysis law` end to end: what is printed, counted, refused, and called not identified."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main


@pytest.fixture
def table(tmp_path):
    r = np.random.default_rng(1)
    size, tokens = 10 ** r.uniform(7, 11, 60), 10 ** r.uniform(9, 12, 60)
    loss = (1.7 + 400 * size**-0.34 + 410 * tokens**-0.28) * np.exp(r.normal(0, 0.005, 60))
    frame = pd.DataFrame(
        {"params": size, "tokens": tokens, "loss": loss, "flops": 6 * size * tokens, "name": "x"}
    )
    return frame, tmp_path


def law(capsys, *arguments: str) -> dict:
    assert main(["law", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments: str) -> str:
    assert main(["law", *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and "Traceback" not in err
    return err


MAP = "N=params,D=tokens,L=loss"


def test_formats_give_one_answer(table, capsys):
    frame, folder = table
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_parquet(folder / "a.parquet")
    frame.to_json(folder / "a.jsonl", orient="records", lines=True, double_precision=15)
    frame.to_csv(folder / "b.csv", index=False, sep=";")
    answers = [
        law(capsys, "chinchilla", str(folder / name), "--map", MAP)["parameters"]
        for name in ("a.csv", "a.parquet", "a.jsonl", "b.csv")
    ]
    for other in answers[1:]:
        for name in answers[0]:
            assert other[name]["estimate"] == pytest.approx(answers[0][name]["estimate"], rel=1e-5)


def test_expressions_where_and_every_dropped_row(table, capsys):
    frame, folder = table
    frame["loss"] = frame["loss"].astype(object)
    frame.loc[3, "loss"] = "nan"
    frame.loc[4, "loss"] = "oops"
    frame.loc[5, "loss"] = np.inf
    frame = pd.concat([frame, frame.iloc[10:12]])
    frame.to_csv(folder / "m.csv", index=False)
    found = law(
        capsys,
        "chinchilla",
        str(folder / "m.csv"),
        "--map",
        "N=params,D=flops/(6*params),L=loss",
        "--where",
        "params < 9e10 and name == 'x'",
    )
    dropped = found["data"]["dropped"]
    assert sum(dropped.values()) + found["data"]["used"] == found["data"]["rows"] == 62
    assert dropped["the same row once more"] == 2 and dropped["infinite"] == 1
    assert any("missing" in why and count == 2 for why, count in dropped.items())


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (None, ["--map", "N=param,D=tokens,L=loss"], "did you mean 'params'"),
        (None, ["--map", "N=params,D=tokens"], "missing: L"),
        (None, ["--map", "N=params,D=tokens,L=name"], "not numbers"),
        (None, ["--map", MAP + ",Q=loss"], "'Q' is none of them"),
        (None, ["--map", MAP, "--where", "__import__('os').system('ls')"], "only arithmetic"),
        (None, ["--map", MAP, "--where", "loss <"], "can't be read"),
        (None, ["--map", MAP, "--where", "loss > 100"], "leaves none of 60 rows"),
        (None, ["--map", MAP, "--where", "loss"], "not a condition"),
        (None, ["--map", MAP, "--where", "name > 3"], "can't be computed"),
        (None, ["--map", MAP, "--loss", "huber:-1"], "huber:DELTA"),
        (None, ["--map", MAP, "--bootstrap", "5"], "at least 100"),
        (None, ["--map", MAP, "--level", "95"], "between 0.5 and 1"),
        (None, ["--map", MAP, "--hold-out", "loss > 100"], "holds out 0 of 60"),
        ("negative", ["--map", MAP], "has to be positive, but 1 rows"),
        ("three", ["--map", MAP], "3 rows can't determine 5 parameters"),
        ("empty", ["--map", MAP], "no rows"),
        ("nan", ["--map", MAP], "no row of 60 is left"),
    ],
)
def test_bad_input_is_one_line(table, capsys, change, arguments, said):
    frame, folder = table
    if change == "negative":
        frame.loc[7, "loss"] = -1.0
    frame = {"three": frame.iloc[:3], "empty": frame.iloc[:0]}.get(change, frame)
    if change == "nan":
        frame = frame.assign(loss=np.nan)
    frame.to_csv(folder / "t.csv", index=False)
    assert said in refused(capsys, "chinchilla", str(folder / "t.csv"), *arguments)


def test_unreadable_files_are_one_line(tmp_path, capsys):
    (tmp_path / "bad.parquet").write_text("hello")
    (tmp_path / "zero.csv").write_text("")
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)) * 20)
    for name in ("bad.parquet", "zero.csv", "bytes.csv", "absent.csv", "a.xls"):
        refused(capsys, "power", str(tmp_path / name), "--map", "x=a,y=b")
    refused(capsys, "kaplan", "x.csv", "--map", "x=a,y=b")
    refused(capsys, "isoflop", "x.csv", "--map", "C=a,L=b")


@pytest.mark.parametrize(
    ("y", "verdict"),
    [
        (lambda x, e: 7 * x**-0.5 * e, "supported"),
        (lambda x, e: 7 * e, "not supported"),
        (lambda x, e: 3 * np.exp(-0.05 * x) * e, "not supported"),
        (lambda x, e: (2 + 5 * x**-0.8) * e, "not supported"),
        (lambda x, e: np.where(x < 8, 3.0, 1.0) * e, "not supported"),
    ],
)
def test_a_power_law_is_supported_where_it_holds_and_only_there(tmp_path, capsys, y, verdict):
    x = np.geomspace(1, 100, 16)
    e = np.exp(np.random.default_rng(5).normal(0, 0.03, 16))
    pd.DataFrame({"x": x, "y": y(x, e)}).to_csv(tmp_path / "p.csv", index=False)
    found = law(capsys, "power", str(tmp_path / "p.csv"), "--map", "x=x,y=y")
    assert found["verdict"] == verdict


def test_a_variable_without_effect_is_not_identified(table, capsys):
    frame, folder = table
    r = np.random.default_rng(2)
    frame["loss"] = (1.7 + 400 * frame["params"] ** -0.34) * np.exp(r.normal(0, 0.005, 60))
    frame.to_csv(folder / "t.csv", index=False)
    found = law(capsys, "chinchilla", str(folder / "t.csv"), "--map", MAP)
    assert not found["parameters"]["B"]["identified"]
    assert not found["parameters"]["beta"]["identified"]
    assert found["parameters"]["alpha"]["identified"] and found["verdict"] == "not supported"


def test_constant_columns_are_not_a_law(table, capsys):
    frame, folder = table
    frame.assign(loss=2.0, params=1e9, tokens=1e9).to_csv(folder / "t.csv", index=False)
    found = law(capsys, "chinchilla", str(folder / "t.csv"), "--map", MAP)
    assert found["verdict"] == "not supported"
    assert not any(p["identified"] for p in found["parameters"].values())


def test_held_out_rows_are_predicted_and_take_no_part(table, capsys):
    frame, folder = table
    frame.to_csv(folder / "t.csv", index=False)
    big = frame["params"] > 1e10
    found = law(
        capsys, "chinchilla", str(folder / "t.csv"), "--map", MAP, "--hold-out", "params > 1e10"
    )
    assert found["data"]["used"] == int((~big).sum())
    check = found["checks"]["held_out"]
    assert check["rows"] == int(big.sum()) and check["passed"]
    assert check["rms_log_error"] < 0.02 < check["rms_nearest_row"]


def test_isoflop_recovers_the_exponent_of_its_truth(tmp_path, capsys):
    r = np.random.default_rng(0)
    rows = []
    for c in np.geomspace(1e17, 1e20, 7):
        best = 0.1 * c**0.5
        for size in best * np.geomspace(0.2, 5, 9):
            loss = 2 + 1e3 * c**-0.15 * np.exp(0.04 * np.log(size / best) ** 2)
            rows.append((c * np.exp(r.normal(0, 0.01)), size, loss * np.exp(r.normal(0, 0.002))))
    pd.DataFrame(rows, columns=["C", "N", "L"]).to_csv(tmp_path / "i.csv", index=False)
    found = law(capsys, "isoflop", str(tmp_path / "i.csv"), "--map", "C=C,N=N,L=L")
    p = found["parameters"]["exponent"]
    assert p["low"] < 0.5 < p["high"] and p["high"] - p["low"] < 0.15
    assert found["checks"]["interior"]["value"] >= 6


def test_isoflop_refuses_a_slope_through_edges(tmp_path, capsys):
    rows = [(c, n, 2 + n**-0.1) for c in (1e17, 1e18, 1e19) for n in np.geomspace(1e6, 1e9, 8)]
    pd.DataFrame(rows, columns=["C", "N", "L"]).to_csv(tmp_path / "i.csv", index=False)
    said = refused(capsys, "isoflop", str(tmp_path / "i.csv"), "--map", "C=C,N=N,L=L")
    assert "0 of 3 budgets have an optimum inside" in said


def test_figures_of_a_law_are_written(table, capsys):
    frame, folder = table
    frame.to_csv(folder / "t.csv", index=False)
    law(
        capsys,
        "chinchilla",
        str(folder / "t.csv"),
        "--map",
        MAP,
        "--bootstrap",
        "100",
        "--figures",
        str(folder / "f"),
    )
    names = {p.name for p in (folder / "f").iterdir()}
    assert {
        f"chinchilla_{n}.{k}"
        for n in ("fit", "residuals", "profiles", "bootstrap")
        for k in ("png", "pdf")
    } == names
