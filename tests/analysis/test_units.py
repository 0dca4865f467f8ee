"""One seed under several names is one seed, a seed at five rates is one seed, and the rows of one run
are one unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.contrasts.cost import prepared
from analysis.errors import InputError
from analysis.gamma_star import fit
from analysis.tables.table import clustered, from_frame
from tests.planted import copied_seeds
from tests.worlds import World, power, simulate

PATH = Path("planted.parquet")
NOISY = World("few", power(), seeds=2, noise=0.2)


def read(frame: pd.DataFrame):
    return from_frame(frame, {}, PATH)


@pytest.mark.parametrize(("how", "copies"), [
    ("outcome", 2), ("outcome", 4), ("seeds", 2), ("loss", 3), ("nearly", 3),
])  # fmt: skip
def test_copies_of_a_seed_are_one_seed(how, copies):
    alone = fit(read(simulate(NOISY, np.random.default_rng(3))), explore=False)
    table = read(copied_seeds(NOISY, copies, how, np.random.default_rng(3)).sample(frac=1))
    again = fit(table, explore=False)
    one, other = alone.laws[0], again.laws[0]
    assert (one.verdict, one.parameters) == (other.verdict, other.parameters)
    assert one.data["seeds"] == other.data["seeds"]
    assert sum("copies of a seed" in note for note in again.notes) == 1


def test_some_rows_of_a_seed_copied():
    frame = copied_seeds(NOISY, 2, "outcome", np.random.default_rng(3))
    frame = frame.drop(columns=["seed_init", "seed_data"])
    half = len(frame) // 2
    kept = np.random.default_rng(0).random(half) < 0.4
    some = pd.concat([frame[:half], frame[half:][kept]])
    assert len(read(some).runs) == half


def test_copies_among_rounded_and_diverged_rows():
    frame = copied_seeds(NOISY, 3, "outcome", np.random.default_rng(3))
    frame = frame.drop(columns=["seed_init", "seed_data"])
    frame["val_loss"] = [float(f"{v:.3g}") for v in frame["val_loss"]]
    frame.loc[frame["gamma"] > 7, ["status", "val_loss"]] = "diverged", np.nan
    assert len(read(frame).runs) == len(frame) // 3


@pytest.mark.parametrize("change", [
    lambda v: float(f"{v:.2g}"), lambda v: float(np.clip(v, 0.3, 3.0)),
    lambda v: float(np.float32(min(v, 3.4657359))), lambda v: round(1 + 2e-4 * v, 4),
    lambda v: v if v < 1.0 else 3.4657359 + 1e-7 * v,
], ids=["two digits", "clipped", "at chance", "steady", "nearly at chance"])  # fmt: skip
def test_equal_outcomes_that_are_no_copies(change):
    frame = simulate(NOISY, np.random.default_rng(3))
    frame["val_loss"] = [change(v) for v in frame["val_loss"]]
    table = read(frame)
    assert len(table.runs) == len(frame) and not table.notes


def test_a_seed_at_five_rates_is_one_run_in_the_rates():
    frame = simulate(World("w", power(), seeds=4), np.random.default_rng(0))
    assert frame.groupby(["depth", "seed"])["lr"].nunique().max() == 5
    result = fit(read(frame), explore=False)
    assert (result.formation["runs"] == 4).all()
    assert (result.divergence["runs"] == 4).all()
    runs, notes = prepared(read(frame))
    assert (runs.groupby(["depth", "gamma"])["seed"].nunique() == 4).all()
    assert (runs.groupby(["depth", "gamma"]).size() == 4).all() and notes


def test_seeds_of_one_cluster_are_one_replicate():
    frame = simulate(World("w", power(), seeds=6), np.random.default_rng(0))
    frame["machine"] = np.where(frame["seed"] > 3, "a", "b")
    table = read(frame)
    alone, shared = (fit(t, explore=False) for t in (table, clustered(table, "machine")))
    count = [f.arms["raw"].curves[0].optimum.log_se for f in (alone, shared)]
    assert count[0] != count[1]
    assert shared.provenance["differs"] == {"cluster": {"frozen": None, "used": "machine"}}
    with pytest.raises(InputError, match="no such column"):
        clustered(table, "host")
