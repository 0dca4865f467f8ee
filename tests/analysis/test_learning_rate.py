"""The choice of learning rate: on tuning seeds alone, off the grid's edge, said where it isn't."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.gamma_star.learning_rate import choose

RATES = np.geomspace(1e-4, 1.6e-3, 5)


def runs(best, seeds=(0, 1, 2), rates=RATES) -> tuple[pd.DataFrame, np.ndarray]:
    """Every seed at every rate; ln loss is quadratic in ln lr about best(depth, gamma)."""
    rows = [
        (d, g, lr, s) for d in (1, 4) for g in (0.0, 0.2, 0.4, 0.8) for lr in rates for s in seeds
    ]
    frame = pd.DataFrame(rows, columns=["depth", "gamma", "lr", "seed"])
    frame = frame.assign(width=8, status="completed")
    wanted = np.array([best(d, g) for d, g in zip(frame["depth"], frame["gamma"], strict=True)])
    y = 0.3 * (np.log(frame["lr"]) - np.log(wanted)) ** 2
    return frame, y.to_numpy() + np.random.default_rng(0).normal(0, 0.01, len(frame))


def test_each_depth_gets_its_own_best_rate():
    frame, y = runs(lambda d, g: 8e-4 if d == 1 else 2e-4)
    rates = choose(frame, y, (0,))
    assert rates.check["passed"]
    chosen = frame[rates.use]
    assert set(chosen["seed"]) == {1, 2}
    assert set(chosen.query("depth == 1")["lr"]) == {RATES[3]}
    assert set(chosen.query("depth == 4")["lr"]) == {RATES[1]}
    assert len(chosen) == 2 * 4 * 2  # one rate a cell


def test_the_rate_follows_gamma():
    frame, y = runs(lambda d, g: 4e-4 / (1 + 3 * g))
    table = choose(frame, y, (0,)).table.query("depth == 1 and gamma > 0").sort_values("gamma")
    assert table["lr"].is_monotonic_decreasing and table["lr"].nunique() > 1


def test_a_rate_at_the_edge_is_flagged():
    frame, y = runs(lambda d, g: 8e-3)
    rates = choose(frame, y, (0,))
    assert rates.check["passed"] is False and "edge" in rates.check["finding"]
    assert rates.table["at_edge"].all()


def test_few_rates_and_tuning_on_the_reported_seed_are_flagged():
    frame, y = runs(lambda d, g: 4e-4, rates=RATES[1:4])
    assert "fewer than 5 rates" in choose(frame, y, (0,)).check["finding"]
    frame, y = runs(lambda d, g: 4e-4, seeds=(0,))
    rates = choose(frame, y, None)
    assert rates.check["passed"] is False and "reported seeds" in rates.check["finding"]


def test_without_named_tuning_seeds_the_first_half_tunes():
    frame, y = runs(lambda d, g: 4e-4, seeds=(3, 5, 8, 9))
    rates = choose(frame, y, None)
    assert set(rates.table["tuned_on"]) == {"seeds 3, 5"}
    assert set(frame[rates.use]["seed"]) == {8, 9}


def test_rates_that_differ_by_depth_without_tuning_rows_are_undecided():
    frame, y = runs(lambda d, g: 4e-4)
    one_each = frame["lr"] == np.where(frame["depth"] == 1, RATES[3], RATES[1])
    frame, y = frame[one_each].reset_index(drop=True), y[one_each]
    rates = choose(frame, y, None)
    assert rates.check["passed"] is None and "undecided" in rates.check["finding"]
    assert rates.use.all()
