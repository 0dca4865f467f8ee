"""Random numbers as a function of their key: stable, uniform, without accidental relations."""

from __future__ import annotations

import pytest
import torch

from orchestrator import prng


def test_known_values_stay_for_ever():
    """Results of released versions depend on these; a change is a new version of every task."""
    assert prng.bits((1, 2), 4).tolist() == [3143449340, 314643133, 4091633705, 3041843763]


def test_vmap_over_seeds_changes_nothing():
    seeds = torch.arange(5)
    batched = torch.vmap(lambda s: prng.integers((s, 3), (4, 7), 10))(seeds)
    each = torch.stack([prng.integers((int(s), 3), (4, 7), 10) for s in seeds])
    assert torch.equal(batched, each)


def test_uniform_and_uncorrelated():
    n = 200_000
    a, b, c = (prng.bits(words, n).double() / 2**32 for words in ((1, 1), (1, 2), (2, 1)))
    assert a.mean().item() == pytest.approx(0.5, abs=5 * (1 / 12 / n) ** 0.5)
    for x, y in ((a, b), (a, c), (a[1:], a[:-1])):
        corr = torch.corrcoef(torch.stack((x[: n - 1], y[: n - 1])))[0, 1].item()
        assert abs(corr) < 5 / n**0.5
    flips = prng.bits((1, 1), n) ^ prng.bits((1, 3), n)
    ones = sum(((flips >> bit) & 1).double().mean().item() for bit in range(32))
    assert ones == pytest.approx(16, abs=0.1)


def test_choices_are_distinct_and_every_one_is_as_likely():
    picks = prng.choices((3,), 20_000, 8, 3)
    assert all(len(set(row)) == 3 for row in picks[:500].tolist())
    counts = torch.bincount(picks[:, 0], minlength=8).double()
    assert (counts / 20_000 - 1 / 8).abs().max() < 5 * (1 / 8 / 20_000) ** 0.5


def test_normals_have_the_right_moments():
    z = prng.normals((9,), (100_000,))
    assert z.mean().item() == pytest.approx(0, abs=0.02)
    assert z.std().item() == pytest.approx(1, abs=0.02)
    assert (z**4).mean().item() == pytest.approx(3, abs=0.15)
