"""Lost runs bound b, formation has a law beside that of formed runs, and a flat valley has no best
gamma (planted tables; full counts: `python -m tests.coverage --planted`)."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.stats.tests import p_of_equal_columns
from tests.planted import (
    drifting_valley,
    informative_divergence,
    lost_depths,
    lost_tuning_rows,
    moving_formation,
)
from tests.planted_results import b_of, first_arm
from tests.planted_units import b_given, bimodal, formation, shallow
from tests.worlds import World, power, simulate


def fits(make, count: int = 4, seed: int = 11):
    return [first_arm(make(np.random.default_rng([seed, i]))) for i in range(count)]


def test_b_is_bounded_over_what_lost_runs_would_have_been():
    found = fits(informative_divergence, 3)
    assert sum(b_of(0.6)(f) for f in found) >= 2
    for fit in found:
        lost, b = fit.law.data["lost_runs"], fit.law.parameters["b"]
        cases = [lost[name] for name in ("left_out", "at_chance", "at_best")]
        assert b.low <= min(c[1] for c in cases) and b.high >= max(c[2] for c in cases)
        if not all(cases[0][1] <= c[0] <= cases[0][2] for c in cases):
            assert fit.law.verdict == "not distinguishable"
            assert "depends on what the lost runs would have been" in fit.sentences[0]


def test_no_bounds_where_nothing_was_lost():
    (fit,) = fits(lambda rng: simulate(World("p", power()), rng), 1)
    assert "lost_runs" not in fit.law.checks and "lost_runs" not in fit.law.data


def test_a_few_lost_tuning_runs_leave_a_true_law_supported():
    assert sum(f.law.verdict == "supported" for f in fits(lost_tuning_rows, 3)) >= 2


def test_depths_that_nothing_survived_leave_the_law_undecided():
    (fit,) = fits(lost_depths, 1)
    assert fit.law.verdict == "not distinguishable"
    assert "too few runs converged at depths 16, 24" in fit.sentences[0]


def test_formation_and_formed_runs_have_a_law_each():
    found = fits(moving_formation, 3)
    assert all(bimodal(f) for f in found)
    assert sum(formation("formed", 0.0)(f) for f in found) >= 2
    assert sum(formation("formation", 0.74)(f) for f in found) >= 2
    for fit in found:
        assert fit.law.verdict == "not distinguishable"
        assert "where most form, b = " in fit.sentences[0]
        assert "among those that formed, b = " in fit.sentences[0]


@pytest.mark.parametrize("changes", [{"noise": 0.25}, {"seed_sd": 0.3}])
def test_smooth_runs_do_not_form_or_not(changes):
    found = fits(lambda rng: simulate(World("p", power(), **changes), rng), 2)
    assert not any(bimodal(f) for f in found)


@pytest.mark.parametrize("changes", [{}, {"wide": 1.8}, {"wide": 3.0, "noise": 0.15, "fall": 0.3}])
def test_a_flat_valley_has_no_b(changes):
    found = fits(lambda rng: drifting_valley(rng, **changes), 3)
    assert not any(b_given(f) for f in found)
    assert all("no one best γ: flat from" in f.curves[3].optimum.label for f in found)
    assert all(f.law.verdict == "not distinguishable" for f in found)


def test_a_shallow_optimum_is_still_found():
    found = fits(lambda rng: shallow(rng, 0.3), 3)
    assert all(b_given(f) for f in found) and sum(b_of(0.74)(f) for f in found) >= 2


def test_p_of_no_variation_is_a_p_value():
    """Cells of unequal noise and seeds of unequal level, nothing else: uniform, and small where
    there is something."""
    rng = np.random.default_rng(0)
    scale = np.geomspace(0.05, 1, 8)
    null = [p_of_equal_columns(rng.normal(rng.normal(0, 3, (4, 1)), 0.3, (4, 8)), 199)
            for _ in range(300)]  # fmt: skip
    # at a true rate of 5 % more than 27 of 300 has a chance of .1 %
    assert 4 <= sum(p <= 0.05 for p in null) <= 27
    assert p_of_equal_columns(rng.normal(0, 0.1, (4, 8)) + scale) < 0.001
    with_gaps = rng.normal(size=(4, 8))
    with_gaps[0, 3:] = np.nan
    assert 0 < p_of_equal_columns(with_gaps) <= 1
