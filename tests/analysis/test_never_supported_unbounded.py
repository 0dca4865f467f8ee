"""No form is "supported" without finite bounds, whatever the table; every row is accounted for."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.forms import depth_width
from analysis.forms.choices import Choices
from analysis.forms.law import fit_table
from analysis.forms.verdict import bounded
from analysis.show.console.law import sentences
from analysis.stats.losses import parse_loss
from analysis.stats.search import search
from analysis.tables.laws_json import Parameter

MAPS = {
    "power": "x=a,y=y",
    "offset-power": "x=a,y=y",
    "chinchilla": "N=a,D=b,L=y",
    "depth-width": "width=a,depth=c,D=b,L=y",
    "isoflop": "C=c,N=a,L=y",
}


def random_table(seed: int) -> pd.DataFrame:
    """Columns of any magnitude; y follows a law, part of one, nothing, or is constant or exact."""
    r = np.random.default_rng(seed)
    n = int(r.choice([7, 9, 16, 40]))
    scale = 10.0 ** r.uniform(-25, 25, 4)
    a, b = (np.exp(r.normal(0, r.choice([0.01, 1.0, 6.0]), n)) * s for s in scale[:2])
    c = np.repeat(np.geomspace(1, 10.0 ** r.uniform(0.5, 4), 4), -(-n // 4))[:n] * scale[2]
    if r.random() < 0.4:  # budgets with a dip, narrow in C or wide
        best = scale[0] * (c / c.min()) ** r.choice([0.0, 0.5, 3.0])
        a = best * np.exp(r.uniform(-2, 2, n))
        y = np.exp(0.05 * np.log(a / best) ** 2)
    else:
        share = r.choice([0.0, 1e-9, 0.3, 1.0], 3)
        y = share[0] + share[1] * (a / a.min()) ** -0.4 + share[2] * (b / b.min()) ** -0.3 + 1e-12
    y = y * scale[3] * np.exp(r.normal(0, r.choice([0.0, 1e-6, 0.01, 0.5]), n))
    return pd.DataFrame({"a": a, "b": b, "c": c, "y": y})


@pytest.mark.parametrize(
    ("form", "seed"), [(f, s) for f in MAPS for s in range(2 if f == "depth-width" else 6)]
)
def test_never_supported_with_an_open_bound(form, seed):
    table = random_table(seed)
    try:
        law = fit_table(form, table, MAPS[form]).law
    except InputError:
        return
    law = json.loads(json.dumps(law.to_json(), allow_nan=False))
    for name, p in law["parameters"].items():
        closed = None not in (p["estimate"], p["low"], p["high"])
        if p["identified"] or law["verdict"] == "supported":
            assert closed and p["low"] <= p["estimate"] <= p["high"], (name, p, law["verdict"])
    data = law["data"]
    left_out = sum(data["dropped"].values()) + sum(data.get("skipped", {}).values())
    assert data["used"] + left_out == data["rows"] == len(table)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None])
@pytest.mark.parametrize("which", range(3))
def test_a_number_that_is_not_finite_is_not_identified(bad, which):
    numbers = [1.0, 0.5, 2.0]
    numbers[which] = bad
    found, reasons = bounded({"a": Parameter(*numbers, True)}, {})
    assert not found["a"].identified and "not finite" in reasons["a"]
    assert [found["a"].estimate, found["a"].low, found["a"].high].count(None) == 1


def isoflop_table(span: float = 5.0) -> pd.DataFrame:
    rows = []
    random = np.random.default_rng(0)
    for c in np.geomspace(1e17, 1e20, 7):
        best = 0.1 * c**0.5
        for size in best * np.geomspace(1 / span, span, 9):
            loss = 2 + 1e3 * c**-0.15 * np.exp(0.04 * np.log(size / best) ** 2)
            rows.append((c, size, loss * np.exp(random.normal(0, 0.002))))
    return pd.DataFrame(rows, columns=["C", "N", "L"])


def test_isoflop_counts_the_rows_that_it_used():
    table = isoflop_table(200.0)  # far sizes are no part of the minimum
    table = pd.concat([table, pd.DataFrame({"C": [3e18], "N": [1e9], "L": [3.0]})])
    fitted = fit_table("isoflop", table, "C=C,N=N,L=L")
    used = sum(int(b.used.sum()) for b in fitted.isoflop.budgets)
    assert 0 < used < len(table) and f"rows: {used} of {len(table)} fitted" in sentences(fitted.law)
    assert used + sum(fitted.law.data["skipped"].values()) == len(table)


@pytest.mark.parametrize("seed", [2, 3, 10])
def test_isoflop_of_optima_on_a_line_and_bounds_beside_it(seed):
    """Without scatter the likelihood bends within a thousandth: its curvature there, by differences of
    that step, once gave an interval of [nan, nan], "identified: passed"."""
    random = np.random.default_rng(seed)
    inside, outside = random.integers(3, 5), random.integers(2, 6)
    flat, steep = 10 ** random.uniform(-4, -1), 10 ** random.uniform(-2, 0)
    side = np.r_[np.zeros(inside, int), random.choice([-1, 1], outside)]
    random.shuffle(side)
    step = 10 ** random.uniform(-1, 0)
    digits, apart = random.choice([4, 5, 6, 9]), random.choice([0.3, 0.5, 1, 2])
    places = {0: np.arange(-4, 5), -1: np.arange(8), 1: np.arange(-7, 1)}
    rows = [
        (c := 10.0 ** (18 + apart * i), 0.066 * c**0.5 * np.exp(j),
         float(f"{np.exp(0.7 - 0.05 * i + (steep if s else flat) * j * j):.{digits}g}"))
        for i, s in enumerate(side) for j in places[s] * step
    ]  # fmt: skip
    law = fit_table("isoflop", pd.DataFrame(rows, columns=["C", "N", "L"]), "C=C,N=N,L=L").law
    found = law.parameters["exponent"]
    assert np.isfinite([found.low, found.high]).all() and found.low < 0.5 < found.high


def test_isoflop_holds_nothing_out_in_silence():
    with pytest.raises(InputError, match="predicts no loss"):
        fit_table("isoflop", isoflop_table(), "C=C,N=N,L=L", Choices(hold_out="C > 1e19"))


def test_a_law_that_is_not_positive_where_it_is_held_out_says_so():
    x = np.geomspace(1, 1000, 30)
    y = 10 - 2.5 * x**0.2 * np.exp(np.random.default_rng(0).normal(0, 0.003, 30))
    table = pd.DataFrame({"x": x, "y": np.where(x < 300, y, 0.5)})
    table = table.assign(x=np.where(x < 300, x, x * 1e3))
    law = fit_table("offset-power", table, "x=x,y=y", Choices(hold_out="x > 300")).law
    said = "\n".join(sentences(law))
    assert "nan" not in said and "is not positive at" in said
    assert law.checks["held_out"]["passed"] is False and law.verdict != "supported"


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_an_optimum_whose_floor_runs_to_0_is_proven(seed):
    r = np.random.default_rng(seed)
    w, d = 2.0 ** r.integers(5, 11, 40), 2.0 ** r.integers(0, 6, 40)
    tokens = 10 ** r.uniform(8, 11, 40)
    y = (3 * w**-0.3 + d**-0.4 + 300 * tokens**-0.3) * (1 - 0.1 * (w > 600))
    y = 1e3 * y * np.exp(r.normal(0, 0.1, 40))
    found = depth_width.problem({"width": w, "depth": d, "D": tokens, "L": y})
    loss = parse_loss("l2")
    best = search(found.model, found.starts(loss), found.log_y, loss)
    assert bool(found.quantities[0].gone(best.theta[None])[0])  # the floor has run off
    assert best.stationary, best
