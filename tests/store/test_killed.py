"""A few of the cases of killed.py; each strikes."""

from __future__ import annotations

import pytest

from tests.store.killed import Case, one

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("store")]


@pytest.mark.parametrize(
    ("verb", "way", "at"),
    [("first", "killed", 9), ("first", "forbidden", 6), ("submit", "worker killed", 8),
     ("submit", "full", 2), ("retry", "killed", 3), ("replan", "killed", 7),
     ("replan", "worker killed", 5), ("replan", "no hard links", 1), ("cancel", "full", 0),
     ("check", "killed", 2)],
    ids=lambda value: str(value).replace(" ", "-"),
)  # fmt: skip
def test_killed_or_refused_at_a_write_it_ends_in_the_same_table(half, verb, way, at):
    folder, expected = half
    assert one(folder, Case(verb, way, at), expected) == ("", True)
