"""The short form of `python -m tests.coverage`: intervals cover, wrong truths aren't supported."""

from __future__ import annotations

import pytest

from tests.coverage import TRUTHS, coverage, verdicts
from tests.worlds import CENSORED, DEPTHS_8, FULL, World, power

FAST = World("fast", power(), depths=DEPTHS_8, seeds=4, tuned=False, shape="two_sided")


@pytest.mark.parametrize("gammas", [FULL, CENSORED], ids=["full", "censored"])
def test_interval_of_b_covers(gammas):
    world = FAST.but(gammas=gammas, seed_sd=0.12, depth_sd=0.1)
    found = coverage(world, 12, "short")
    # 12 sweeps: with a true coverage of 95 % fewer than 9 hits has a chance of 2e-3.
    assert found.told == 12 and found.cover >= 0.75
    assert found.width < 0.8
    assert abs(found.mean - 0.74) < 0.08


@pytest.mark.parametrize("truth", TRUTHS)
def test_verdicts(truth):
    found = verdicts([w.but(seeds=4, shape="two_sided") for w in TRUTHS[truth]], 3, seed=7)
    if truth.startswith("power"):
        assert found["supported"] >= 2
    else:
        # at a true rate of 5 % two of three have a chance of 0.7 %
        assert found["supported"] <= 1
