"""What falls with depth and what with the learning rate: told apart by tuning rows, never guessed
without them (planted tables whose truth is known; full counts: `python -m tests.coverage --planted`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.gamma_star import fit
from analysis.tables.laws_json import Law
from analysis.tables.table import from_frame
from tests.planted import ByRate, rate_by_hand, rate_tuned
from tests.worlds import World, power, simulate

COARSE = ByRate()
FINE = replace(COARSE, step=2**0.5)
ROUGH = replace(COARSE, noise=0.1)


def fitted(frame: pd.DataFrame):
    """The one arm's fit and its law."""
    result = fit(from_frame(frame, {}, Path("planted.parquet")), explore=False)
    (arm,) = result.arms.values()
    return arm, arm.law


def rates(frame: pd.DataFrame) -> dict:
    return fitted(frame)[1].data["rate"]


def holds(estimate: dict, truth: float) -> bool:
    return estimate["low"] <= truth <= estimate["high"]


@pytest.mark.parametrize("seed", range(4))
def test_a_rate_set_by_hand_per_depth_is_undecided(seed):
    law = fitted(rate_by_hand(COARSE, np.random.default_rng([5, seed])))[1]
    assert law.verdict != "supported"
    assert law.checks["learning_rate"]["passed"] is None
    assert law.data["rate"]["b_total"] is None and law.data["rate"]["b_fixed"] is None


@pytest.mark.parametrize("tuned", [(0.8,), (0.4, 0.8)])
def test_rates_tuned_at_too_few_gammas_leave_it_undecided(tuned):
    for i in range(3):
        frame = rate_tuned(replace(FINE, tuning_gammas=tuned), np.random.default_rng([3, i]))
        law = fitted(frame)[1]
        assert law.data["rate"]["b_fixed"] is None and law.verdict != "supported"
        assert law.checks["learning_rate"]["passed"] is not True


@pytest.mark.parametrize("world", [COARSE, FINE], ids=["coarse", "fine"])
def test_gamma_star_of_the_rate_alone_is_explained_by_it(world):
    found = [fitted(rate_tuned(world, np.random.default_rng([5, i]))) for i in range(6)]
    told = [law.data["rate"] for _, law in found]
    # at a coverage of 95 % five of six or more has a chance of 97 %, at 60 % of 23 %
    assert sum(holds(r["b_fixed"], 0.0) for r in told) >= 5
    assert sum(holds(r["b_total"], world.b_in_total) for r in told) >= 5
    assert sum(r["explained"] for r in told) >= 5
    assert all(r["b_fixed"]["high"] - r["b_fixed"]["low"] < 0.15 for r in told)
    arm, law = found[0]
    assert "explained by the learning rate" in arm.sentences[0]
    assert law.parameters["b"].estimate == law.data["rate"]["b_total"]["estimate"]
    assert Law.from_json(json.loads(json.dumps(law.to_json()))).data["rate"] == law.data["rate"]


@pytest.mark.parametrize("seed", range(4))
def test_a_fall_with_depth_alone_is_never_explained_by_the_rate(seed):
    told = rates(simulate(World("power", power(4.17, 0.74)), np.random.default_rng([5, seed])))
    assert told["explained"] is False and "not explained" in told["finding"]
    assert abs(told["elasticity"]["estimate"]) < 0.05
    assert not holds(told["b_fixed"], 0.0)


def test_half_and_half_is_partly_explained():
    world = replace(ROUGH, own=0.3, elasticity=0.5)
    told = [rates(rate_tuned(world, np.random.default_rng([6, i]))) for i in range(4)]
    assert all("partly explained" in r["finding"] and not r["explained"] for r in told)
    assert sum(holds(r["b_fixed"], 0.3) for r in told) >= 3
    assert sum(holds(r["b_total"], 0.7) for r in told) >= 3


def test_few_gammas_a_rate_are_enough():
    world = replace(ROUGH, tuning_gammas=(0.1, 0.3, 0.9, 2.7), top=1.5)
    told = [rates(rate_tuned(world, np.random.default_rng([7, i]))) for i in range(3)]
    assert sum(holds(r["b_fixed"], 0.0) for r in told) >= 2
    assert all(abs(r["elasticity"]["estimate"] - 0.9) < 0.05 for r in told)


def test_reported_at_one_rate_the_best_rates_still_tell_b_in_total():
    """The tuning rows carry each depth's optimum from the rate it was run at to the best one."""
    rng = np.random.default_rng(8)
    frame = rate_tuned(replace(ROUGH, fall=0.3, depths=(1, 2, 3, 4, 6, 8)), rng)
    world = replace(ROUGH, fall=0.3)
    rate = float(frame[frame["depth"] == 3]["lr"].median())
    rows = [
        row for d in (1, 2, 3, 4, 6, 8) for s in range(1, 6) for row in world.rows(d, rate, s, rng)
    ]
    same = frame[frame["seed"] > 0].assign(lr=rate)
    same["val_loss"] = [row[4] for row in rows]
    told = rates(pd.concat([frame[frame["seed"] == 0], same], ignore_index=True))
    assert holds(told["b_total"], 0.27) and not holds(told["b_total"], 0.0)
    assert holds(told["b_fixed"], 0.0)


def test_seeds_that_all_ran_at_every_rate_tell_it_too():
    frame = rate_tuned(replace(ROUGH, seeds=0), np.random.default_rng(9), tuning_seeds=4)
    told = rates(frame)
    assert told["explained"] and holds(told["b_fixed"], 0.0)


def test_one_rate_for_all_depths_is_a_fixed_rate_and_not_tuned():
    law = fitted(simulate(World("one", power(), tuned=False), np.random.default_rng(0)))[1]
    assert law.checks["learning_rate"]["passed"] is False and law.verdict != "supported"
    assert law.data["rate"]["b_total"] is None and law.data["rate"]["explained"] is None
    assert holds(law.data["rate"]["b_fixed"], 0.74)


def test_rates_tuned_at_too_few_depths_leave_it_untold():
    frame = rate_tuned(ROUGH, np.random.default_rng(3))
    frame = frame[(frame["seed"] > 0) | (frame["depth"] <= 2)]
    law = fitted(frame.reset_index(drop=True))[1]
    assert law.verdict != "supported" and law.data["rate"]["b_total"] is None


def test_a_best_rate_past_the_tuned_ones_is_not_called_tuned():
    frame = rate_tuned(ROUGH, np.random.default_rng(4))
    least = frame.groupby("depth")["lr"].transform("min")
    chosen = frame[frame["seed"] > 0].groupby("depth")["lr"].first()
    low = frame["lr"] < frame["depth"].map(chosen) * 1.9
    law = fitted(frame[low | (frame["lr"] == least)].reset_index(drop=True))[1]
    assert law.checks["learning_rate"]["passed"] is False and law.verdict != "supported"
