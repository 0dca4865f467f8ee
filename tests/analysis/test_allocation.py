"""The best N and D of a law, isoflop by parabola, and the size of a misfit on the screen."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.errors import InputError
from analysis.forms.allocation import allocate, best
from analysis.forms.choices import Choices
from analysis.forms.law import fit_table
from analysis.forms.named import find
from analysis.show.console.law import sentences

TRUTH = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}


def closed(p: dict[str, float], flops: float) -> float:
    """N* of the law of Hoffmann et al. 2022, eq. 4."""
    a, b = p["alpha"], p["beta"]
    return (a * p["A"] / (b * p["B"])) ** (1 / (a + b)) * (flops / 6) ** (b / (a + b))


def table(rows: int = 80, noise: float = 0.003, seed: int = 0) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    n, d = 10 ** r.uniform(7, 10, rows), 10 ** r.uniform(9, 12, rows)
    y = find("chinchilla").predict(TRUTH, {"N": n, "D": d}) * np.exp(r.normal(0, noise, rows))
    return pd.DataFrame({"N": n, "D": d, "L": y})


@pytest.mark.parametrize("flops", [1e17, 1e20, 1e25])
def test_the_optimum_is_that_of_the_formula(flops):
    r = np.random.default_rng(int(np.log10(flops)))
    for _ in range(5):
        p = {k: v * np.exp(r.normal(0, 0.1)) for k, v in TRUTH.items()}
        n, d, _ = best(find("chinchilla"), p, flops, 6.0)
        assert np.exp(n) == pytest.approx(closed(p, flops), rel=1e-3)
        assert 6 * np.exp(n + d) == pytest.approx(flops, rel=1e-9)


def test_intervals_cover_the_truth():
    found = [
        allocate(
            fit_table("chinchilla", table(seed=s), "N=N,D=D,L=L", Choices("l2", bootstrap=100)),
            1e22,
        ).size
        for s in range(5)
    ]
    inside = [low < closed(TRUTH, 1e22) < high for _, low, high in found]
    assert sum(inside) >= 3 and all(low < v < high for v, low, high in found)


def test_the_verb_prints_and_says_what_lies_beyond_the_table(tmp_path, capsys):
    table().to_csv(tmp_path / "t.csv", index=False)
    arguments = ["allocate", "chinchilla", str(tmp_path / "t.csv"), "--map", "N=N,D=D,L=L"]
    arguments += ["--bootstrap", "100", "--loss", "l2", "--flops", "1e20,1e27"]
    assert main([*arguments, "--json"]) == 0
    near, far = json.loads(capsys.readouterr().out)
    assert not near["outside"] and any("N lies" in words for words in far["outside"])
    assert main(arguments) == 0
    assert "beyond the table" in capsys.readouterr().out
    for flops in ("x", "0", "-1", "nan"):
        assert main([*arguments[:-1], flops]) == 2
        out, err = capsys.readouterr()
        assert not out and err.count("\n") == 1 and "bootstrap" not in err
    for form, names in (("power", "x=N,y=L"), ("isoflop", "C=N,N=N,L=L")):
        assert main(["allocate", form, arguments[2], "--map", names, "--flops", "1e20"]) == 2
        assert "needs a law of N and D" in capsys.readouterr().err


def test_a_law_without_an_optimum_is_refused():
    rising = table()
    rising["L"] = 2 + 1e-5 * rising["N"] ** 0.4 + 400 * rising["D"] ** -0.3  # smaller is better
    with pytest.raises(InputError, match="no best N and D"):
        allocate(fit_table("chinchilla", rising, "N=N,D=D,L=L", Choices("l2")), 1e20)
    with pytest.raises(InputError, match="needs a law of N and D"):
        allocate(fit_table("power", rising, "x=N,y=L"), 1e20)


def budgets(span: float, skew: float, off: float = 1.0) -> pd.DataFrame:
    r = np.random.default_rng(0)
    rows = []
    for c in np.geomspace(1e17, 1e20, 7):
        best_size = 0.1 * c**0.5
        for size in off * best_size * np.geomspace(1 / span, span, 11):
            z = np.log(size / best_size)
            loss = 2 + 0.03 * z**2 * np.exp(skew * z)
            rows.append((c, size, loss + r.normal(0, 0.001)))
    return pd.DataFrame(rows, columns=["C", "N", "L"])


def test_isoflop_by_parabola_and_what_speaks_against_it():
    def law(frame):
        return fit_table("isoflop", frame, "C=C,N=N,L=L", Choices(minimum="parabola")).law

    clean = law(budgets(4, 0.0))
    p = clean.parameters["exponent"]
    assert p.low < 0.5 < p.high and p.high - p.low < 0.05 and "parabola" in clean.method
    assert not [n for n in clean.data["notes"] if "parabola" in n or "centre" in n]
    assert any("unlike a parabola" in n for n in law(budgets(20, -0.2)).data["notes"])
    assert any("off the centre" in n for n in law(budgets(4, 0.0, 2.5)).data["notes"])
    spline = fit_table("isoflop", budgets(4, 0.0), "C=C,N=N,L=L").law
    assert not [n for n in spline.data["notes"] if "parabola" in n]


def test_the_size_of_a_misfit_is_on_the_screen():
    bent = table(200, 0.001)
    bent["L"] *= 1 + 0.01 * np.cos(2 * np.log(bent["N"]))
    law = fit_table("chinchilla", bent, "N=N,D=D,L=L").law
    rms = law.data["misfit"]["rms"]
    assert 0.004 < rms < 0.01 and 0.98 < law.data["misfit"]["share_of_variance"] < 1
    said = "\n".join(sentences(law))
    assert f"misfit {100 * rms:.3g} % rms" in said and "greatest deviation" in said
    # a bend of less than 1 % is no contradiction of a law that explains 99 % and more
    assert law.verdict == "not distinguishable" and "the residuals bend slightly" in said
    bent["L"] *= 1 + 0.03 * np.cos(2 * np.log(bent["N"]))
    assert fit_table("chinchilla", bent, "N=N,D=D,L=L").law.verdict == "not supported"


def test_a_prediction_interval_holds_new_rows(capsys, tmp_path):
    inside, widths = [], []
    point = {"N": np.array([3e10]), "D": np.array([5e11])}
    centre = float(find("chinchilla").predict(TRUTH, point)[0])
    for s in range(6):
        law = fit_table(
            "chinchilla", table(seed=s), "N=N,D=D,L=L",
            Choices("l2", bootstrap=100, predict="N=3e10,D=5e11"),
        ).law  # fmt: skip
        at = law.data["predicted"]
        new = centre * np.exp(np.random.default_rng(s).normal(0, 0.003, 200))
        inside.append(float(np.mean((at["low"] < new) & (new < at["high"]))))
        widths.append(np.log(at["high"] / at["low"]))
    assert np.mean(inside) > 0.85
    assert 2 * 1.96 * 0.003 * 0.9 < np.median(widths) < 0.05
    assert any("predicted at N = 3e+10" in line for line in sentences(law))
    table().to_csv(tmp_path / "t.csv", index=False)
    given = ["law", "chinchilla", str(tmp_path / "t.csv"), "--map", "N=N,D=D,L=L"]
    for more in (["--predict", "N=1,D=1"], ["--bootstrap", "100", "--predict", "N=1"],
                 ["--bootstrap", "100", "--predict", "N=1,D=-1"]):  # fmt: skip
        assert main([*given, *more]) == 2
        out, err = capsys.readouterr()
        assert "--predict" in err and err.count("\n") == 1 and not out
