"""Twenty faults at random, overlapping; `python -m tests.cluster.soak` strikes as many as you like."""

from __future__ import annotations

import pytest

from tests.cluster.soak import soak

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.xdist_group("slurm")]


def test_nothing_is_lost_twice_or_different(slurm, tmp_path):
    soak(20, 0, tmp_path, slurm)
