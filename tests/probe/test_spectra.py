"""Spectra: power in the right place, a rotating constant is a tone, bands apart are called so."""

from __future__ import annotations

import math

import pytest
import torch

from orchestrator.config import Model, Momentum
from orchestrator.models.momentum import causal_filter
from orchestrator.models.rope import rope_table, rotate
from orchestrator.probe.bands import quantities
from orchestrator.probe.spectra import SEGMENT, _pairs, periodograms, rotation_rates

GAMMA = 0.8
TAPS = torch.tensor([[1 + GAMMA, -GAMMA]], dtype=torch.float64)


def test_white_noise_has_its_variance_as_power_everywhere():
    z = 2 * torch.randn(4000, 1, 40, 1, dtype=torch.float64)
    torch.testing.assert_close(
        periodograms(z, 1).mean(0)[0, 0], torch.full((SEGMENT,), 4.0).double(), rtol=0.1, atol=0
    )


def test_constant_content_is_a_tone_at_the_rate_of_its_pair():
    model = Model(width=8, heads=1, rope_base=100.0)
    cos, sin = rope_table(200, 8, 100.0)
    constant = torch.randn(3, 1, 1, 8, dtype=torch.float64).expand(3, 1, 200, 8)
    before = rotate(constant, cos, sin)
    after = causal_filter(before, TAPS)
    power, filtered = (periodograms(_pairs(z), 1).mean(0)[0] for z in (before, after))
    omega = 2 * math.pi * torch.fft.fftfreq(SEGMENT, dtype=torch.float64)
    for pair, theta in enumerate(rotation_rates(model)):
        peak = power[pair].argmax()
        assert abs(omega[peak] - theta) <= 2 * math.pi / SEGMENT
        gain = abs(1 + GAMMA * (1 - complex(math.cos(theta), -math.sin(theta)))) ** 2
        assert filtered[pair, peak] / power[pair, peak] == pytest.approx(gain, rel=1e-9)
    assert rotation_rates(model)[0] == 1


def test_no_rotation_at_the_filter_means_no_rates():
    assert rotation_rates(Model(width=8, rope_base=None)) == [0.0] * 4
    assert rotation_rates(Model(width=8, momentum=Momentum(placement="pre_rope"))) == [0.0] * 4


def found(z: torch.Tensor) -> dict[str, float]:
    each = quantities(z, causal_filter(z, TAPS), 1)
    return {name: values[0, 0].item() for name, values in each.items()}


def test_flat_content_overlaps_with_its_momentum_as_the_formula_says():
    q = found(torch.randn(400, 1, 128, 4, dtype=torch.float64))
    assert q["overlap"] == pytest.approx(1 - 1 / math.pi, abs=0.01)
    short = found(torch.randn(8000, 1, 15, 4, dtype=torch.float64))
    assert short["overlap_flat"] > q["overlap_flat"]
    for each in (q, short):
        assert each["overlap"] == pytest.approx(each["overlap_flat"], abs=0.003)
    assert q["cosine"] == pytest.approx(math.sqrt(0.5), abs=0.01)
    assert q["low_content"] == pytest.approx(0.5, abs=0.01)
    assert q["low_momentum"] == pytest.approx(0.5 - 1 / math.pi, abs=0.01)
    assert q["low_momentum"] < q["low_filtered"] < q["low_content"]


def test_bands_that_are_apart_have_no_overlap_and_one_tone_has_all():
    sign = (-1.0) ** torch.arange(128, dtype=torch.float64)[:, None]
    steady = torch.ones(8, 1, 128, 1, dtype=torch.float64)
    apart = found(steady + 0.05 * sign)
    assert apart["overlap"] < 0.01
    assert apart["low_content"] > 0.99 and apart["low_momentum"] < 0.01
    assert found(steady * sign)["overlap"] > 0.99


def test_the_interval_widens_with_fewer_sequences():
    z = torch.randn(400, 1, 32, 4, dtype=torch.float64)
    widths = [quantities(x, x, 1)["overlap"][0, 1:].std().item() for x in (z, z[:25])]
    assert 2 < widths[1] / widths[0] < 8
