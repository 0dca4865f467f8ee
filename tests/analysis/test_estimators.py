"""The optimiser's parts: exact derivatives, the global optimum, and no interval on a ridge."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.errors import InputError
from analysis.forms import chinchilla, offset_power, power
from analysis.forms.fit import fit
from analysis.forms.models.linear import Linear, LogLinear
from analysis.forms.models.offset import BoxCox, SignedOffset
from analysis.forms.models.power_sum import PowerSum
from analysis.forms.models.power_sum_starts import nonnegative
from analysis.stats.censored_line import Estimates, interval, regress
from analysis.stats.lad import polish
from analysis.stats.losses import Loss, parse_loss
from analysis.stats.minima import minima
from analysis.stats.optimise import minimise, objective
from analysis.stats.tests import holm

RANDOM = np.random.default_rng(0)
Z = RANDOM.normal(size=(20, 2))


@pytest.mark.parametrize(
    ("model", "theta"),
    [
        (PowerSum(Z, True), [0.2, 0.3, 0.4, -0.1, 0.7]),
        (PowerSum(Z[:, :1], False), [0.2, -0.5]),
        (BoxCox(Z[:, 0]), [3.0, -0.4, 0.3]),
        (BoxCox(Z[:, 0]), [3.0, -0.4, 1e-4]),
        (SignedOffset(Z[:, 0], -1.0), [4.0, -0.3, 0.4]),
        (LogLinear(Z), [0.3, -0.2]),
        (Linear(np.abs(Z)), [0.3, 0.2]),
    ],
)
def test_first_and_second_derivatives_are_exact(model, theta):
    theta = np.array([theta])
    value, jac, cache = model.derivatives(theta)
    assert np.allclose(value, model.log_value(theta))
    weight = RANDOM.normal(size=(1, 20))
    second = model.second(cache, weight)[0]
    for i in range(model.size):
        step = np.zeros_like(theta)
        step[0, i] = 1e-6
        up, down = model.derivatives(theta + step), model.derivatives(theta - step)
        assert np.allclose((up[0] - down[0]) / 2e-6, jac[:, :, i], atol=1e-7)
        pulled = ((up[1] - down[1]) * weight[..., None]).sum(axis=1)[0] / 2e-6
        assert np.allclose(pulled, second[i], atol=1e-5)


@pytest.mark.parametrize("text", ["huber:1e-3", "l2"])
def test_losses_are_consistent(text):
    loss = parse_loss(text)
    r = np.array([-0.1, -5e-4, 0.0, 7e-4, 0.2])
    slope = (loss.rho(r + 1e-8) - loss.rho(r - 1e-8)) / 2e-8
    assert np.allclose(slope, loss.psi(r), atol=1e-7)


@pytest.mark.parametrize("text", ["huber:0", "huber:x", "huber:-1", "l1", "", "lad:3", "huber:inf"])
def test_an_unknown_loss_is_refused(text):
    with pytest.raises(InputError):
        parse_loss(text)


def test_nonnegative_least_squares_matches_scipy():
    from scipy.optimize import nnls

    for _ in range(30):
        a, b = RANDOM.normal(size=(12, 3)), RANDOM.normal(size=12)
        ours = nonnegative((a.T @ a)[None], (a.T @ b)[None])[0]
        assert np.allclose(ours, nnls(a, b)[0], atol=1e-6)


def test_lad_reaches_the_vertex_that_linear_programming_finds():
    x = RANDOM.normal(size=30)
    y = 1.0 + 0.5 * x + RANDOM.standard_t(2, size=30)
    model = LogLinear(np.stack([np.ones(30), x], 1))
    _, value, gap = polish(model, np.zeros(2), y, np.ones(30))
    best = min(
        float(
            objective(
                model,
                np.linalg.solve(model.design[[i, j]], y[[i, j]])[None],
                y,
                np.ones(30),
                Loss("lad"),
            )[0]
        )
        for i in range(30)
        for j in range(i)
    )
    assert value == pytest.approx(best, rel=1e-9) and gap < 1e-7


def data(n: int, noise: float, seed: int = 0, floor: float = 1.7):
    r = np.random.default_rng(seed)
    size, tokens = 10 ** r.uniform(6, 12, n), 10 ** r.uniform(8, 13, n)
    loss = floor + 400 * size**-0.34 + 410 * tokens**-0.28
    return {"N": size, "D": tokens, "L": loss * np.exp(r.normal(0, noise, n))}


def estimates(form, columns, loss=None):
    found = fit(form.problem(columns), parse_loss(loss or form.loss))
    assert found.optimum.stationary
    return {e.name: e for e in found.estimates}


@pytest.mark.parametrize("loss", ["huber:1e-3", "l2", "lad"])
def test_noise_free_data_give_their_parameters_back(loss):
    found = estimates(chinchilla.FORM, data(60, 0.0), loss)
    for name, truth in {"E": 1.7, "A": 400, "alpha": 0.34, "B": 410, "beta": 0.28}.items():
        assert found[name].value == pytest.approx(truth, rel=1e-5), name
        assert found[name].identified


def test_no_start_beats_the_optimum():
    columns = data(40, 0.02, seed=3)
    problem = chinchilla.FORM.problem(columns)
    found = fit(problem, Loss("huber", 1e-3))
    r = np.random.default_rng(1)
    starts = np.column_stack(
        [
            r.uniform(-3, 1.5, 200),
            r.uniform(-3, 3, 200),
            r.uniform(0, 2, 200),
            r.uniform(-3, 3, 200),
            r.uniform(0, 2, 200),
        ]
    )
    brute = minimise(problem.model, starts, problem.log_y, np.ones(40), Loss("huber", 1e-3))
    assert found.optimum.value <= brute.value.min() * (1 + 1e-9)


def test_a_floor_that_is_not_there_is_not_identified():
    found = estimates(chinchilla.FORM, data(60, 0.005, floor=0.0))
    assert not found["E"].identified and found["E"].low is None
    assert found["alpha"].identified


def test_tokens_proportional_to_size_leave_a_ridge():
    columns = data(60, 0.005)
    columns["D"] = 20 * columns["N"]
    columns["L"] = (1.7 + 400 * columns["N"] ** -0.34 + 410 * columns["D"] ** -0.28) * np.exp(
        np.random.default_rng(0).normal(0, 0.005, 60)
    )
    found = {e.name: e for e in fit(chinchilla.FORM.problem(columns), Loss("l2")).estimates}
    assert not (found["A"].identified and found["B"].identified)


def test_an_offset_is_found_on_either_side_and_not_invented():
    x = np.geomspace(1e6, 1e12, 20)
    noise = np.exp(np.random.default_rng(0).normal(0, 0.005, 20))
    down = estimates(offset_power.FORM, {"x": x, "y": (1.7 + 30 * x**-0.2) * noise})
    assert down["E"].identified and down["E"].low < 1.7 < down["E"].high
    up = estimates(offset_power.FORM, {"x": x, "y": (0.97 - 20 * x**-0.3) * noise})
    assert up["coefficient"].high < 0 and up["E"].value == pytest.approx(0.97, abs=0.01)
    none = estimates(offset_power.FORM, {"x": x, "y": 30 * x**-0.05 * noise})
    assert not none["E"].identified
    log = estimates(offset_power.FORM, {"x": x, "y": 10 - 0.3 * np.log(x)})
    assert not log["E"].identified and not log["coefficient"].identified


def test_profile_interval_of_a_power_law_is_the_t_interval():
    import statsmodels.api as sm

    r = np.random.default_rng(0)
    x = np.geomspace(1, 1e4, 15)
    y = 3 * x**-0.5 * np.exp(r.normal(0, 0.1, 15))
    ols = sm.OLS(np.log(y), sm.add_constant(np.log(x))).fit()
    low, high = ols.conf_int()[1]
    found = estimates(power.FORM, {"x": x, "y": y})["exponent"]
    assert found.value == pytest.approx(ols.params[1], rel=1e-8)
    # the profile widens, never narrows, the pooled interval where scatter is unequal
    assert found.low <= low + 1e-4 and found.high >= high - 1e-4
    assert found.high - found.low < 1.5 * (high - low)


def test_too_few_rows_give_no_interval_or_no_fit():
    columns = data(6, 0.001)
    found = estimates(chinchilla.FORM, columns)
    assert all(e.low is None and e.high is None and not e.identified for e in found.values())
    with pytest.raises(InputError, match="5 rows can't determine 5 parameters"):
        fit(chinchilla.FORM.problem({k: v[:5] for k, v in columns.items()}), Loss("l2"))


def test_minima_of_smooth_curves_and_their_edges():
    x = np.linspace(-2, 2, 9)
    curves = [(x, 0.3 * (x - c) ** 2 + 0.02 * (x - c) ** 3) for c in (-0.5, 0.1, 0.8)]
    found, _ = minima(curves)
    assert [m.kind for m in found] == ["interior"] * 3
    assert np.allclose([m.x for m in found], [-0.5, 0.1, 0.8], atol=0.05)
    falling, _ = minima([(x, np.exp(-x)), *curves])
    assert falling[0].kind == "right" and falling[0].bound is not None


def test_a_bound_pulls_the_line_and_is_not_taken_as_a_number():
    x = np.arange(1.0, 9.0)
    y, sd = 2 * x + 1, np.full(8, 0.05)
    low = np.full(8, -np.inf)
    y[-1], low[-1] = np.nan, 12.0  # the last is at least 12; the truth is 17
    design = np.column_stack([np.ones(8), x])
    points = Estimates(y, sd, low, np.full(8, np.inf))
    slope, below, above = interval(points, design, 1)
    assert slope == pytest.approx(2, abs=0.05) and below < 2 < above
    taken = Estimates(np.where(np.isfinite(y), y, 12.0), sd, low, points.high)
    assert regress(taken, design).coefficients[1] < 1.9


def test_holm_is_statsmodels_and_keeps_the_order():
    from statsmodels.stats.multitest import multipletests

    for count in (1, 2, 7, 40):
        p = RANDOM.random(count) ** 3
        p[:2] = p[0]  # ties
        assert holm(list(p)) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm([]) == []


def test_a_slope_through_edges_has_an_interval_however_noisy_its_bounds():
    """A line with bounds gives a finite, ordered interval that holds its truth, or says it has none."""
    hits = []
    for seed in range(60):
        r = np.random.default_rng(seed)
        x = np.sort(r.uniform(0, 5, 9))
        y, sd = 1 - 0.6 * x + r.normal(0, 0.15, 9), np.full(9, 0.1)
        cut = -0.6 * r.uniform(3, 5)
        low, high = np.full(9, -np.inf), np.full(9, np.inf)
        y, high = np.where(y < cut, np.nan, y), np.where(y < cut, cut, high)
        points = Estimates(y, sd, low, high)
        slope, below, above = interval(points, np.column_stack([np.ones(9), x]), 1)
        assert below < slope < above and not np.isnan([below, above]).any()
        hits.append(below <= -0.6 <= above)
    # at a true coverage of 95 % fewer than 51 of 60 has a chance of 1e-3
    assert sum(hits) >= 51
