"""The operator's measured frequency response is the paper's."""

from __future__ import annotations

import pytest
import torch

from orchestrator.config import Model, Momentum, RunConfig
from orchestrator.errors import UserError
from orchestrator.probe.bode import FREQUENCIES, responses
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
