"""Heads' scores on patterns made by hand, and what an intervention puts in a filter's place."""

from __future__ import annotations

import pytest
import torch

from orchestrator.probe.causal import interventions
from orchestrator.probe.heads import _attention_to, _follows, copying


def test_prefix_matching_counts_attention_to_what_followed_the_same_token():
    tokens = torch.tensor([[5, 7, 6, 8, 5, 9, 6]])
    marks = _follows(tokens)
    assert marks[0].nonzero().tolist() == [[4, 1], [6, 3]]
    pattern = torch.zeros(1, 7, 7, dtype=torch.float64)
    pattern[0, 4, 1], pattern[0, 4, 0], pattern[0, 6, 3], pattern[0, 1, 0] = 0.8, 0.2, 0.4, 1.0
    assert _attention_to(pattern, marks) == pytest.approx(0.6)


def test_copying_scores():
    assert copying(3 * torch.eye(6).double()) == (pytest.approx(1), 1)
    assert copying(-torch.eye(6).double())[0] == pytest.approx(-1)
    torch.manual_seed(0)
    score, top = copying(torch.randn(200, 200, dtype=torch.float64))
    assert abs(score) < 0.2 and top < 0.1


def test_interventions_on_a_shear_are_other_shears():
    def shear(gamma: float) -> torch.Tensor:
        return torch.tensor([1 + gamma, -gamma], dtype=torch.float64).expand(2, 2, 1, 2)

    def unit(taps: torch.Tensor) -> torch.Tensor:
        return taps / taps.norm(dim=-1, keepdim=True)

    raw = interventions(shear(0.8), matched=False)
    for name, gamma in (("gamma_zero", 0), ("half_gamma", 0.4), ("double_gamma", 1.6),
                        ("sign_flipped", -0.8)):  # fmt: skip
        torch.testing.assert_close(raw[name], shear(gamma))
    torch.testing.assert_close(raw["norm_matched"], unit(shear(0.8)))
    assert raw["gain_only"][0, 0, 0].tolist() == pytest.approx([(1.8**2 + 0.8**2) ** 0.5, 0])
    torch.testing.assert_close(raw["keys_off"][:, 0], shear(0.8)[:, 0])
    torch.testing.assert_close(raw["keys_off"][:, 1], shear(0)[:, 1])
    matched = interventions(unit(shear(0.8)), matched=True)
    for name, gamma in (("half_gamma", 0.4), ("sign_flipped", -0.8), ("intact", 0.8)):
        torch.testing.assert_close(matched[name], unit(shear(gamma)))


def test_an_unfiltered_stream_stays_as_it_is():
    identity = torch.tensor([1.0, 0.0]).double().expand(1, 2, 1, 2)
    for taps in interventions(identity, matched=False).values():
        torch.testing.assert_close(taps, identity)
