"""Rows of one run are one unit for a general law; rows may be weighted, and fitted on y itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit

from analysis.errors import InputError
from analysis.forms.choices import Choices
from analysis.forms.law import fit_table
from analysis.forms.models.offset import BoxCox
from analysis.forms.models.power_sum import PowerSum
from analysis.stats.on_scale import OnScale
from analysis.tables.units import unit_column
from tests.planted import checkpoints

MAP = "N=N,D=D,L=L"


def test_checkpoints_of_one_run_are_one_unit():
    hits, words = 0, set()
    for i in range(12):
        law = fit_table("chinchilla", checkpoints(np.random.default_rng([4, i])), MAP).law
        assert law.data["units"] == {"column": "run_id", "count": 22, "found": True}
        alpha = law.parameters["alpha"]
        hits += alpha.low is not None and alpha.low <= 0.34 <= alpha.high
        words.add(law.verdict)
    # counted row by row it is 2-4 of 12, "supported" in 9-10
    assert hits >= 9 and "supported" not in words


def test_rows_are_units_where_one_says_so():
    table = checkpoints(np.random.default_rng(0))
    wide, narrow = (
        fit_table("chinchilla", table, MAP, Choices(cluster=c)).law for c in (None, "none")
    )
    assert narrow.data["units"] is None and "units" not in narrow.checks
    width = [p.high - p.low for p in (wide.parameters["alpha"], narrow.parameters["alpha"])]
    assert width[0] > 1.5 * width[1]
    assert wide.parameters["alpha"].estimate == narrow.parameters["alpha"].estimate


@pytest.mark.parametrize(("column", "values", "found"), [
    ("run_id", lambda t: t["run_id"], True),
    ("checkpoint_of", lambda t: t["run_id"], True),
    ("experiment", lambda t: t["run_id"], True),
    ("Name", lambda t: t["run_id"], True),
    ("Model ID", lambda t: t["run_id"], True),
    ("run_id", lambda t: range(len(t)), False),
    ("model", lambda t: np.where(np.arange(len(t)) % 3 == 0, "mlp", t["L"].round(1)), False),
    ("model", lambda t: "llama", False),
    ("note", lambda t: t["run_id"], False),
])  # fmt: skip
def test_which_column_says_what_a_unit_is(column, values, found):
    table = checkpoints(np.random.default_rng(0))
    table[column] = values(table)
    if column != "run_id":
        table = table.drop(columns="run_id")
    assert (unit_column(table, table[["N", "D"]]) == column) is found


def test_bootstraps_draw_units():
    table = checkpoints(np.random.default_rng(1))
    ends = [fit_table("chinchilla", table, MAP, Choices("l2", bootstrap=200, cluster=c)).law
            .parameters["alpha"] for c in (None, "none")]  # fmt: skip
    assert ends[0].high - ends[0].low > 1.5 * (ends[1].high - ends[1].low)


def weighted_rows(rng: np.random.Generator) -> pd.DataFrame:
    n, d = np.geomspace(1e6, 1e9, 10).repeat(5), np.tile(np.geomspace(1e9, 1e11, 5), 10)
    sd = np.where(rng.random(50) < 0.5, 0.02, 0.002)
    loss = 1.8 + 480 * n**-0.34 + 600 * d**-0.28 + rng.normal(0, sd)
    return pd.DataFrame({"N": n, "D": d, "L": loss, "w": 7 / sd**2})


def test_weighted_least_squares_on_y_is_scipys():
    table = weighted_rows(np.random.default_rng(0))
    law = fit_table("chinchilla", table, MAP, Choices("l2", weights="w", scale="linear")).law

    def f(x, floor, a, alpha, b, beta):
        return floor + np.exp(a) * x[0] ** -alpha + np.exp(b) * x[1] ** -beta

    best, covariance = curve_fit(f, (table["N"].to_numpy(), table["D"].to_numpy()),
                                 table["L"].to_numpy(), p0=(1.8, 6.1, 0.34, 6.4, 0.28),
                                 sigma=table["w"].to_numpy() ** -0.5)  # fmt: skip
    alpha = law.parameters["alpha"]
    assert alpha.estimate == pytest.approx(best[2], rel=1e-6)
    assert (alpha.high - alpha.low) / (4 * np.sqrt(covariance[2, 2])) == pytest.approx(1, abs=0.25)
    plain = fit_table("chinchilla", table, MAP, Choices("l2", scale="linear")).law.parameters[
        "alpha"
    ]
    assert plain.high - plain.low > 2 * (alpha.high - alpha.low)


@pytest.mark.parametrize("linear", [True, False])
def test_a_model_on_another_scale_has_exact_derivatives(linear):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(7, 2))
    for model, theta in ((PowerSum(z, True), rng.normal(0, 0.3, 5)),
                         (BoxCox(z[:, 0]), np.array([3.0, 0.4, 0.3]))):  # fmt: skip
        seen = OnScale(model, rng.uniform(0.5, 2, 7), linear, 3.0)
        value, jac, cache = seen.derivatives(theta[None])
        pull = rng.normal(size=(1, 7))
        hessian = seen.second(cache, pull)[0]
        for k, step in enumerate(1e-6 * np.eye(len(theta))):
            up, down = (seen.derivatives((theta + s)[None]) for s in (step, -step))
            assert np.allclose(jac[0][:, k], (up[0] - down[0])[0] / 2e-6, atol=1e-6)
            rows = (up[1] - down[1])[0] / 2e-6
            assert np.allclose(hessian[k], pull[0] @ rows, atol=1e-5)
        assert np.allclose(value, seen.log_value(theta[None]))


@pytest.mark.parametrize(("option", "said"), [
    ({"weights": "v"}, "no such column"), ({"weights": "bad"}, "positive"),
    ({"cluster": "v"}, "no such column"), ({"scale": "sqrt"}, "log, linear"),
])  # fmt: skip
def test_what_is_refused(option, said):
    table = weighted_rows(np.random.default_rng(0)).assign(bad=0.0)
    with pytest.raises(InputError, match=said):
        fit_table("chinchilla", table, MAP, Choices(**option))
