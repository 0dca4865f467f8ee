"""The gamma*(N) fit on simulated sweeps whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.gamma_star import fit
from analysis.gamma_star.curve import with_slope
from analysis.stats.censored_line import maximise
from analysis.stats.shrinkage import shrink_variances
from analysis.tables.table import Table, from_frame
from tests.worlds import CENSORED, DEPTHS_8, World, power, simulate, table_of

QUIET = World("quiet", power(2.0, 0.74), depths=DEPTHS_8, seeds=3, noise=0.03, tuned=False)


def table(frame: pd.DataFrame, **about) -> Table:
    from pathlib import Path

    return from_frame(frame, about, Path("table.parquet"))


def rows(*worlds: World, seed: int = 5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.concat([simulate(w, random) for w in worlds], ignore_index=True)


def test_optima_and_law_are_found():
    result = fit(table(rows(QUIET)), explore=False)
    arm = result.arms["raw"]
    for curve in arm.curves:
        truth = 2.0 * curve.depth**-0.74
        assert curve.optimum.kind == "interior"
        assert abs(np.log(curve.optimum.gamma / truth)) < 0.12
        assert curve.optimum.plateau_low < truth < curve.optimum.plateau_high
        assert np.all(curve.low <= curve.fitted) and np.all(curve.fitted <= curve.high)
    b = arm.law.parameters["b"]
    assert b.low < b.estimate < b.high and abs(b.estimate - 0.74) < 0.04
    assert arm.joint.b == pytest.approx(b.estimate, abs=0.05)
    assert len(arm.residuals) == len(rows(QUIET))
    assert arm.law.data["published"]["excluded"]  # 2.0 is not 4.17


def test_published_pair_is_not_excluded_where_it_is_true():
    result = fit(table(rows(QUIET.but(truth=power(4.17, 0.74)), seed=1)), explore=False)
    assert result.laws[0].data["published"]["p"] > 0.01


def test_optima_beyond_the_grid_are_censored_and_not_dropped():
    world = QUIET.but(truth=power(4.17, 0.74), gammas=CENSORED)
    result = fit(table(rows(world)), explore=False)
    first = result.arms["raw"].curves[0].optimum
    assert first.kind == "right" and first.gamma is None
    assert first.bound_low is not None and first.bound_low < 4.17
    b = result.laws[0].parameters["b"]
    assert b.low < 0.74 < b.high
    assert result.laws[0].data["censored_optima"] >= 1


def test_no_finite_optimum_is_a_result_and_no_slope():
    endless = QUIET.but(truth=lambda n: np.full(len(n), 4.0))
    (law,) = fit(table(rows(endless)), explore=False).laws
    assert law.verdict == "not supported"
    assert law.parameters["b"].estimate is None and not law.parameters["b"].identified


def test_noise_at_chance_has_no_optimum():
    nothing = QUIET.but(truth=lambda n: np.full(len(n), 12.0))
    kinds = [o["kind"] for seed in range(5)
             for o in fit(table(rows(nothing, seed=seed)), explore=False).laws[0].data["optima"]]  # fmt: skip
    assert kinds.count("interior") <= 1


def test_saturated_metric_has_no_optimum_with_a_narrow_interval():
    frame = rows(QUIET)
    frame["val_loss"] = np.maximum(frame["val_loss"], 0.25) * np.exp(
        np.random.default_rng(0).normal(0, 0.002, len(frame))
    )
    for curve in fit(table(frame), explore=False).arms["raw"].curves:
        o = curve.optimum
        assert o.plateau_high / o.plateau_low > 2


def test_fewer_than_six_depths_are_never_supported():
    few = World("few", power(4.17, 0.74), depths=(1, 2, 4, 8, 16), seeds=6, noise=0.01)
    (law,) = fit(table(rows(few)), explore=False).laws
    assert law.verdict == "not distinguishable" and "5" in law.checks["depths"]["finding"]


def test_one_rate_for_all_depths_is_never_supported():
    tuned = World("tuned", power(4.17, 0.74), noise=0.05)
    assert fit(table(rows(tuned)), explore=False).laws[0].verdict == "supported"
    one_rate = fit(table(rows(tuned.but(tuned=False))), explore=False).laws[0]
    assert one_rate.verdict == "not distinguishable"
    assert "one learning rate" in one_rate.checks["learning_rate"]["finding"]


def test_rate_is_chosen_on_other_seeds_than_those_reported():
    result = fit(table(rows(World("tuned", power(), seeds=3))), explore=False)
    chosen = result.learning_rates
    assert set(chosen["tuned_on"]) == {"seeds 0"} and chosen["rates"].min() == 5
    used = pd.concat([c.observed for c in result.arms["raw"].curves]).query("used")
    assert 0 not in set(used["seed"]) and set(used["seed"]) == {1, 2, 3}
    shallow, deep = (chosen[chosen["depth"] == d]["lr"].median() for d in (1, 16))
    assert shallow > deep


def test_attribution_takes_a_law_from_momentum_that_norm_matching_ends():
    raw = World("raw", power(4.17, 0.74))
    endless = World("matched", lambda n: np.full(len(n), 4.0), arm="norm_matched")
    result = fit(table(rows(raw, endless)), explore=False)
    assert result.attribution["verdict"] == "softmax scale"
    assert result.arms["raw"].law.verdict == "not supported"
    alone = fit(table(rows(raw)), explore=False)
    assert alone.attribution["verdict"] == "untested"
    matched = World("matched", power(4.17, 0.74), arm="norm_matched")
    gain = World("gain", lambda n: np.full(len(n), 4.0), arm="gain_only")
    both = fit(table(rows(raw, matched, gain)), explore=False)
    assert both.attribution["verdict"] == "momentum"
    assert [law.verdict for law in both.laws] == ["supported", "supported", "not supported"]


def test_attribution_needs_evidence_of_absence():
    few = {"depths": (1, 2, 3), "noise": 0.3, "tuned": False, "seeds": 2}
    arms = [World(a, power(1.0, 0.7), arm=a, **few) for a in ("raw", "norm_matched")]
    result = fit(table(rows(*arms)), explore=False)
    assert result.laws[0].parameters["b"].low < 0
    assert result.attribution["verdict"] == "not distinguishable"


def test_diverged_runs_are_counted_and_fitted_both_ways():
    frame = rows(QUIET)
    wild = (frame["gamma"] > 5) & (frame["depth"] > 2)
    frame.loc[wild, "status"] = "diverged"
    frame.loc[wild, "val_loss"] = np.nan
    result = fit(table(frame))
    law = result.laws[0]
    assert law.data["diverged"] == wild.sum() and law.data["runs"] == (~wild).sum()
    rate = result.divergence.set_index(["depth", "gamma"])["rate"]
    assert rate.loc[16].iloc[-1] == 1 and rate.loc[1].iloc[-1] == 0
    ways = result.specification.query("form == 'two_sided' and metric == 'val_loss'")
    assert set(ways["diverged"]) == {"left out", "as chance"}
    assert np.ptp(ways["b"]) < 0.2
    assert any("diverged" in note for note in result.notes)


def test_unsolved_runs_are_censored_not_dropped():
    frame = rows(QUIET)
    truth = 2.0 * frame["depth"] ** -0.74
    noise = np.random.default_rng(2).normal(0, 0.1, len(frame))
    with np.errstate(divide="ignore"):
        steps = 100 * np.exp(0.6 * np.log((frame["gamma"] + 0.02) / (truth + 0.02)) ** 2 + noise)
    frame["steps_to_solve"] = steps.where(steps < 1000)
    assert frame["steps_to_solve"].isna().mean() > 0.15
    result = fit(table(frame, law={"metric": "steps_to_solve"}), explore=False)
    b = result.laws[0].parameters["b"]
    assert abs(b.estimate - 0.74) < 0.06
    solved = fit(table(frame.dropna(subset="steps_to_solve"), law={"metric": "steps_to_solve"}),
                 explore=False)  # fmt: skip
    assert solved.laws[0].data["runs"] < result.laws[0].data["runs"]


def test_bimodal_runs_have_a_rate_of_formation():
    frame = rows(QUIET)
    random = np.random.default_rng(4)
    formed = random.random(len(frame)) < 0.75
    frame["accuracy"] = np.where(formed & (frame["val_loss"] < 1.5), 0.97, 0.04)
    frame.loc[~formed, "val_loss"] = 3.4
    result = fit(table(frame))
    assert result.laws[0].data["bimodal"]
    rate = result.formation
    assert np.all(rate["low"] <= rate["rate"]) and np.all(rate["rate"] <= rate["high"])
    assert abs(np.average(rate["fitted"], weights=rate["runs"])
               - rate["formed"].sum() / rate["runs"].sum()) < 1e-6  # fmt: skip
    assert "formed only" in set(result.specification["diverged"])
    assert any("rate of formation" in note for note in result.notes)
    assert not fit(table(rows(QUIET)), explore=False).laws[0].data["bimodal"]


def test_width_has_an_exponent_of_its_own():
    wide = rows(QUIET)
    narrow = rows(QUIET.but(truth=lambda n: power(2.0, 0.74)(n) + 0.3 * np.log(2)), seed=6)
    frame = pd.concat([wide, narrow.assign(width=32, run_id="n" + narrow["run_id"])])
    (law,) = fit(table(frame), explore=False).laws
    assert law.parameters["c"].estimate == pytest.approx(0.3, abs=0.1)
    assert law.parameters["b"].estimate == pytest.approx(0.74, abs=0.05)


def test_held_out_by_condition():
    result = fit(table(rows(QUIET)), hold_out="depth>=12", explore=False)
    held = result.laws[0].data["held_out"]
    assert [h["depth"] for h in held] == [12, 16]
    assert all(h["low"] < h["observed"] < h["high"] for h in held)
    assert all(h["log_error"] < h["naive"]["constant"] for h in held)


def test_fit_does_not_depend_on_the_order_of_rows():
    frame = rows(QUIET)
    shuffled = frame.sample(frac=1, random_state=0)
    one, other = (fit(table(f), explore=False).laws[0].to_json() for f in (frame, shuffled))
    assert one["parameters"] == other["parameters"]


def test_training_time_from_curves(tmp_path):
    frame = rows(QUIET)
    frame.to_parquet(tmp_path / "table.parquet")
    steps = [frame[["run_id"]].assign(step=s, tokens=64 * s,
                                      val_loss=frame["val_loss"] * (1000 / s) ** 0.1)
             for s in (100, 300, 1000)]  # fmt: skip
    pd.concat(steps).to_parquet(tmp_path / "curves.parquet")
    import analysis

    times = analysis.fit(tmp_path / "table.parquet").training_time
    assert list(times["step"]) == [100, 300, 1000]
    assert np.all(np.abs(times["b"] - 0.74) < 0.08)


def test_curve_derivatives_and_minimum():
    random = np.random.default_rng(0)
    p = random.normal(0, 0.7, (6, 6)) + np.array([0, 0.5, 0.5, 3, -3, -3])
    gamma = np.tile([0.0, 0.05, 0.3, 1.0, 4.0], (6, 1))
    for ceiling in (None, np.full((6, 1), 3.4)):
        value, slope = with_slope(p, gamma, ceiling)
        for k in range(6):
            moved = p.copy()
            moved[:, k] += 1e-6
            numeric = (with_slope(moved, gamma, ceiling)[0] - value) / 1e-6
            np.testing.assert_allclose(slope[:, :, k], numeric, atol=2e-5)
        fine = np.tile(np.exp(np.linspace(-5, 5, 4001)), (6, 1))
        least = np.log(fine[0, with_slope(p, fine, ceiling)[0].argmin(1)])
        np.testing.assert_allclose(least, p[:, 0], atol=0.01)


def test_censored_regression_equals_direct_maximisation():
    from scipy.optimize import minimize
    from scipy.stats import norm

    random = np.random.default_rng(1)
    x = np.column_stack([np.ones(9), np.log(np.arange(1, 10))])
    sd = random.uniform(0.5, 1.5, 9)
    y = x @ [1.0, -0.7] + 0.2 * sd * random.normal(size=9)
    side = np.where(y > 0.6, 1, np.where(y < -0.4, -1, 0))
    target = np.clip(y, -0.4, 0.6)

    def loss(q):
        scale = np.exp(q[2]) * sd
        z = (target - x @ q[:2]) / scale
        seen = norm.logpdf(z) - np.log(scale)
        return -np.where(side == 0, seen, norm.logcdf(-side * z)).sum()

    direct = minimize(loss, [1, -0.5, -1], method="Nelder-Mead",
                      options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 5000})  # fmt: skip
    found = maximise(x, target, sd, side)
    np.testing.assert_allclose(found.coefficients, direct.x[:2], atol=1e-5)
    assert found.log_likelihood == pytest.approx(-direct.fun, abs=1e-7)


def test_shrinkage_pools_what_agrees_and_leaves_what_does_not():
    random = np.random.default_rng(3)
    alike = random.chisquare(4, 200) / 4
    shrunk, df = shrink_variances(alike, np.full(200, 4.0))
    assert shrunk.std() < 0.35 * alike.std() and df.min() > 15
    apart = alike * np.exp(random.normal(0, 2, 200))
    shrunk, df = shrink_variances(apart, np.full(200, 4.0))
    assert np.corrcoef(np.log(shrunk), np.log(apart))[0, 1] > 0.95 and df.max() < 10


def test_same_table_same_result():
    one, other = (fit(table_of([QUIET], np.random.default_rng(9)), explore=False)
                  for _ in range(2))  # fmt: skip
    assert one.laws[0].to_json() == other.laws[0].to_json()
