"""Momentum in layers, on metrics where the exchange is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.gamma_star import fit
from analysis.tables.table import from_frame

DEPTHS = (1, 2, 3, 4, 6, 8, 12)
GAMMAS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


def sweep(loss, noise: float = 0.01, seeds: int = 4) -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = [(n, g, s, loss(n, g) * np.exp(random.normal(0, noise)))
            for n in DEPTHS for g in GAMMAS for s in range(seeds)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["depth", "gamma", "seed", "val_loss"])
    return frame.assign(
        run_id=np.arange(len(frame)).astype(str), arm="raw", task="t", width=8, lr=1e-3,
        status="completed", chance=1 / 64, steps=10, flops=2e9 * frame["depth"],
        params=1e5 + 1e4 * frame["depth"],
    )  # fmt: skip


def exchanged(frame: pd.DataFrame):
    return fit(from_frame(frame, {}, Path("t.parquet"))).fungibility["raw"]


def of_depth(n):
    """Loss of plain attention at (real) depth n."""
    return 4.0 * n**-0.8


def test_pure_exchange_is_measured_and_shows_no_interaction():
    found = exchanged(sweep(lambda n, g: of_depth(n * (1 + g))))
    assert found.defined
    row = found.effective.query("depth == 2 and gamma == 0.8").iloc[0]
    assert row["low"] < 3.6 < row["high"] and row["worth"] == pytest.approx(1.6, abs=0.2)
    assert abs(found.interaction["slope"]) < 0.03
    assert any("layers" in w for w in found.sentences) and any(
        "doubling γ" in w for w in found.sentences
    )


def test_exchange_rate_is_a_derivative():
    found = exchanged(
        sweep(lambda n, g: of_depth(n * (1 + g) if g == 0 else n * 2 * (g / 0.1) ** 0.3))
    )
    shallow = found.rate[found.rate["depth"] == 1].iloc[0]
    assert shallow["low"] < 0.3 < shallow["high"]


def test_interaction_is_told_apart_from_exchange():
    found = exchanged(sweep(lambda n, g: of_depth(n * (1 + g / n))))
    assert found.interaction["interaction"] and found.interaction["high"] < 0


def test_beyond_the_deepest_is_said_and_not_extrapolated():
    found = exchanged(sweep(lambda n, g: of_depth(n * (1 + 30 * g))))
    deep = found.effective.query("depth == 12 and gamma == 3.2").iloc[0]
    assert deep["place"] == "above" and np.isnan(deep["n_eff"])
    assert any("no depth trained without it reaches" in w for w in found.sentences)


@pytest.mark.parametrize(
    "loss",
    [
        lambda n, g: {1: 3.04, 2: 2.43, 3: 1.80, 4: 2.68}.get(n, 2.5) * np.exp(-g),
        lambda n, g: 3.0 * np.exp(-g),
    ],
    ids=["the trial's, not monotone", "flat"],
)
def test_undefined_where_plain_attention_does_not_fall_with_depth(loss):
    found = exchanged(sweep(loss))
    assert not found.defined and found.effective.empty
    assert "undefined" in found.sentences[0]
