"""A few of the cases of corrupt.py, by chance."""

from __future__ import annotations

import pytest

from tests.store.corrupt import run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("store")]


def test_damaged_records_cost_what_they_held_and_nothing_else(half):
    outcomes = list(run(*half, count=8, seed=5))
    assert len(outcomes) == 8
    assert [o for o in outcomes if o.wrong] == []
