"""`analysis fit` on bad input: one clear line on standard error, exit status 2, nothing written;
on poor input: an honest answer, never a law."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from tests.worlds import World, power, simulate

SMALL = World("small", power(1.0, 0.7), depths=(1, 2, 3), tuned=False, seeds=2,
              gammas=(0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2))  # fmt: skip


def small(**changes) -> pd.DataFrame:
    return simulate(SMALL.but(**changes), np.random.default_rng(3))


def run(frame: pd.DataFrame, folder: Path, capsys, *flags: str) -> tuple[int, str, str, Path]:
    path = folder / "table.parquet"
    frame.to_parquet(path)
    status = main(["fit", str(path), *flags])
    out, err = capsys.readouterr()
    return status, out, said_of(err), folder / "laws.json"


def said_of(err: str) -> str:
    """Standard error without the progress lines of a slow machine."""
    return "".join(line for line in err.splitlines(True) if not line.startswith("fitting ..."))


def edited(row: int, column: str, value) -> pd.DataFrame:
    frame = small()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    try:
        frame[column] = frame[column].astype(float)
    except (TypeError, ValueError):
        frame[column] = frame[column].astype(str)
    return frame


def mixed(column: str, values: tuple) -> pd.DataFrame:
    frame = small()
    frame[column] = np.where(np.arange(len(frame)) % 2 == 0, *values)
    return frame


BAD = {
    "lacks a column": (small().drop(columns="gamma"), "gamma"),
    "lacks the metric": (small().drop(columns="val_loss"), "val_loss"),
    "empty": (small().iloc[:0], "no rows"),
    "NaN loss": (edited(3, "val_loss", np.nan), "val_loss is nan"),
    "infinite loss": (edited(3, "val_loss", np.inf), "val_loss is inf"),
    "negative loss": (edited(3, "val_loss", -0.1), "not negative"),
    "text for a number": (edited(3, "gamma", "big"), "'big'"),
    "depth 0": (edited(3, "depth", 0), "depth is 0"),
    "half a depth": (edited(3, "depth", 1.5), "depth is 1.5"),
    "infinite gamma": (edited(3, "gamma", np.inf), "γ is infinite"),
    "negative rate": (edited(3, "lr", -1e-3), "lr is"),
    "unknown status": (edited(3, "status", "lost"), "'lost'"),
    "one id twice": (pd.concat([small(), small().iloc[[5]]]), "twice"),
    "one run under two ids": (
        pd.concat([small(), small().iloc[[5]].assign(run_id="other")]), "stands in it twice",
    ),
    "mixed tasks": (mixed("task", ("recall", "induction")), "mixes tasks"),
    "mixed task settings": (mixed("task.pairs", (4, 8)), "task.pairs"),
    "mixed budgets": (mixed("steps", (400, 800)), "mixes budgets"),
    "mixed vocabularies": (mixed("chance", (1 / 32, 1 / 16)), "'chance'"),
    "learned gamma only": (small().assign(gamma=np.nan), "nothing to fit"),
    "no gamma, what to use": (small().assign(gamma=np.nan), "`analysis law power TABLE --map x=depth"),
    "no gamma, several sizes": (
        small().assign(gamma=np.nan, params=lambda t: 100 * t["depth"]), "x=params,y=val_loss",
    ),
    "no depth": (small().assign(depth=np.nan), "fits a law over its sizes"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_writes_nothing(name, tmp_path, capsys):
    frame, said = BAD[name]
    status, out, err, laws = run(frame, tmp_path, capsys)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1 and said in err and "Traceback" not in err
    assert not laws.exists()


@pytest.mark.parametrize("content", [b"not parquet", b"", b"PAR1 broken PAR1"])
def test_a_file_that_is_not_parquet(content, tmp_path, capsys):
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    assert main(["fit", str(path)]) == 2
    err = said_of(capsys.readouterr().err)
    assert err.count("\n") == 1 and "not a Parquet file" in err
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--metric", "perplexity"), "perplexity"),
        (("--form", "spline"), "spline"),
        (("--window", "-1"), "--window"),
        (("--hold-out", "gamma>1"), "--hold-out"),
        (("--hold-out", "depth>=1"), "every depth"),
    ],
)
def test_bad_flags(flags, said, tmp_path, capsys):
    status, out, err, laws = run(small(), tmp_path, capsys, "--quick", *flags)
    assert status == 2 and out == "" and err.count("\n") == 1 and said in err
    assert not laws.exists()


def strict(text: str) -> list[dict]:
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))


POOR = {
    "one depth": small(depths=(2,)),
    "two depths": small(depths=(1, 4)),
    "all diverged": small().assign(status="diverged", val_loss=np.nan),
    "all failed": small().assign(status="failed", val_loss=np.nan),
    "constant metric": small().assign(val_loss=1.5),
    "metric at zero": small().assign(val_loss=0.0),
    "three rows": small().iloc[:3],
    "one row": small().iloc[:1],
    "one gamma": small()[lambda f: f["gamma"] == 0.4],
    "gamma 0 alone": small()[lambda f: f["gamma"] == 0],
    "one seed": small(seeds=1),
    "no chance known": small().drop(columns="chance"),
    "pure noise": small().assign(
        val_loss=np.exp(np.random.default_rng(0).normal(0, 0.3, len(small())))
    ),
    "no rates known": small().assign(lr=np.nan),
}


@pytest.mark.parametrize("name", POOR)
def test_poor_data_give_no_law(name, tmp_path, capsys):
    status, out, _, laws = run(POOR[name], tmp_path, capsys, "--json")
    assert status == 0
    (law,) = strict(out)
    assert strict(laws.read_text()) == [law]
    assert law["verdict"] in ("not distinguishable", "not supported")
    b = law["parameters"]["b"]
    if len(set(POOR[name]["depth"])) < 3 or law["data"]["interior_optima"] < 3:
        assert b == {"estimate": None, "low": None, "high": None, "identified": False}


def test_json_is_the_file_and_nothing_else(tmp_path, capsys):
    status, out, err, laws = run(small(), tmp_path, capsys, "--json", "--quick")
    assert status == 0 and strict(out) == strict(laws.read_text())
    assert "verdict" not in err and "γ*" in err
    (law,) = strict(out)
    assert list(law) == ["law", "form", "metric", "arm", "parameters", "level", "method",
                         "verdict", "checks", "rivals", "data", "provenance"]  # fmt: skip
    assert law["verdict"] == "not distinguishable"
    assert law["data"]["interior_optima"] == 3 and law["data"]["runs"] == len(small())


def test_csv_gives_the_same_law(tmp_path, capsys):
    small().to_csv(tmp_path / "table.csv", index=False)
    assert main(["fit", str(tmp_path / "table.csv"), "--quick", "--json"]) == 0
    from_csv = strict(capsys.readouterr().out)
    _, out, _, _ = run(small(), tmp_path, capsys, "--quick", "--json")
    assert from_csv[0]["parameters"]["b"]["estimate"] == pytest.approx(
        strict(out)[0]["parameters"]["b"]["estimate"]
    )


def test_unfinished_sweep_names_what_is_missing(tmp_path, capsys):
    import pyarrow as pa
    import pyarrow.parquet as pq

    frame = small()
    gone = frame.iloc[0]
    missing = [{"arm": "raw", "depth": 1, "gamma": float(gone["gamma"]), "lr": 3e-3, "seed": 0,
                "reason": "absent"}]  # fmt: skip
    about = {"format": 1, "sweep": "small", "expected": len(frame), "missing": missing}
    table = pa.Table.from_pandas(frame.iloc[1:])
    path = tmp_path / "table.parquet"
    pq.write_table(
        table.replace_schema_metadata(
            {**table.schema.metadata, b"orchestrator": json.dumps(about).encode()}
        ),
        path,
    )
    assert main(["fit", str(path)]) == 2
    err = capsys.readouterr().err
    assert "--partial" in err and "reason=absent" in err and not (tmp_path / "laws.json").exists()
    assert main(["fit", str(path), "--partial", "--json", "--quick"]) == 0
    out, err = capsys.readouterr()
    (law,) = strict(out)
    assert law["verdict"] is None and law["data"]["missing"] == 1
    assert "reason=absent" in err


def test_a_diverged_run_may_have_ended_early(tmp_path, capsys):
    frame = small()
    frame.loc[5, ["status", "val_loss", "steps"]] = ["diverged", np.nan, 10]
    status, out, _, _ = run(frame, tmp_path, capsys, "--quick", "--json")
    assert status == 0 and strict(out)[0]["data"]["diverged"] == 1


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom analysis.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'matplotlib', 'statsmodels', 'rich', 'torch'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fit" in done.stdout


def test_a_metric_of_words_is_one_line(tmp_path, capsys):
    small().to_parquet(tmp_path / "table.parquet")
    assert main(["fit", str(tmp_path / "table.parquet"), "--metric", "arm"]) == 2
    assert "column 'arm' holds 'raw', which is not a number" in capsys.readouterr().err
