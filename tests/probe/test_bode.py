"""The operator's measured frequency response is the paper's, on impulses and on sequences."""

from __future__ import annotations

import pytest
import torch

from orchestrator.config import Model, Momentum, RunConfig
from orchestrator.errors import UserError
from orchestrator.models.momentum import causal_filter
from orchestrator.models.transformer import Transformer
from orchestrator.probe.bode import FREQUENCIES, identified_taps, response_rows, responses
from orchestrator.probe.trained import Trained
from orchestrator.tasks.recall import Recall


@pytest.mark.parametrize("gamma", [-1.0, 0.0, 0.7, 4.17])
def test_bode_curve_of_the_shear(gamma):
    run = RunConfig(task=Recall(), model=Model(depth=2, heads=2, momentum=Momentum(gamma=gamma)))
    found = responses(run)
    assert len(found) == 2 * 2 * 2
    omega = torch.linspace(0, torch.pi, FREQUENCIES, dtype=torch.float64)
    expected = 1 + gamma * (1 - torch.exp(-1j * omega))
    for response in found:
        torch.testing.assert_close(response.measured, expected)
        assert response.error < 1e-12
        assert response.row()["gain_nyquist"] == pytest.approx(abs(1 + 2 * gamma))


def test_unfiltered_streams_are_flat_and_learned_ones_refused():
    run = RunConfig(task=Recall(), model=Model(momentum=Momentum(gamma=2.0, streams="k")))
    by_stream = {r.stream: r.row() for r in responses(run)}
    assert by_stream["q"]["gain_nyquist"] == pytest.approx(1)
    assert by_stream["k"]["gain_nyquist"] == pytest.approx(5)
    learned = RunConfig(task=Recall(), model=Model(momentum=Momentum(learn="gamma")))
    with pytest.raises(UserError, match="learned"):
        responses(learned)


def trained(**momentum) -> Trained:
    """A model of random weights, opened; a learned filter at random values."""
    torch.manual_seed(0)
    run = RunConfig(task=Recall(), model=Model(depth=2, heads=2, momentum=Momentum(**momentum)))
    module = Transformer(run.model, run.task.vocab, run.task.length, run.task.scored)
    weights = {n: torch.randn(p.shape) / 4 for n, p in module.named_parameters()}
    return Trained(run, weights)


@pytest.mark.parametrize("momentum", [
    {"gamma": 0.7}, {"gamma": 2.0, "norm": "matched", "streams": "k"},
    {"taps": [1.0, -0.5, 0.25, 0.1], "gamma": None}, {"gamma": 0.3, "placement": "pre_rope"},
    {"learn": "taps", "learn_per": "layer", "streams": "qkv"},
])  # fmt: skip
def test_bode_curve_from_the_sequences_of_a_model(momentum):
    model = trained(**momentum)
    rows = response_rows(model, model.record()[1])
    streams = 3 if "v" in momentum.get("streams", "") else 2
    assert len(rows) == 2 * streams * 2 * FREQUENCIES
    assert rows["error_sequences"].max() < 1e-9
    assert rows["error_impulse"].max() < 1e-12
    assert (rows["magnitude_theory"] - rows["magnitude_sequences"]).abs().max() < 1e-9


def test_a_filter_that_does_more_than_it_says_shows_in_its_sequences():
    z = torch.randn(64, 2, 15, 8, dtype=torch.float64)
    taps = torch.tensor([[1.5, -0.5, 0.0, 0.2], [1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(identified_taps(z, causal_filter(z, taps), 4), taps)
    assert identified_taps(z, z, 16).isnan().all()  # longer than the sequence


def test_learned_taps_are_read_from_the_weights():
    model = trained(learn="gamma", learn_per="head", streams="k")
    gamma = model.module.momentum
    assert gamma.unique().numel() == 4
    for r in responses(model.run, model.taps_LSHK):
        expected = 1 + 2 * gamma[r.layer, r.head].item() if r.stream == "k" else 1.0
        assert r.row()["gain_nyquist"] == pytest.approx(abs(expected))
