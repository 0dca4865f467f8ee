"""`orchestrator probe` on real runs: what it writes, where weights come from, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from orchestrator.probe.weights import kept_weights
from orchestrator.records.manifests import read_sweep
from orchestrator.records.store import Store
from tests.conftest import orchestrator

KEPT = ["execution.keep_weights=true", "model.depth=1", "execution.width=2"]


def submit(tiny: list[str], *words: str) -> None:
    done = orchestrator("submit", "small", *tiny, *words)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_sweep_becomes_tables_that_agree_with_its_records(sweep_file, store, tiny):
    submit(tiny, *KEPT)
    done = orchestrator("probe", "small", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["probed"] == 4 and found["without_weights"] == 0
    assert max(c["error_impulse"] for c in found["cells"]) < 1e-5
    assert max(c["error_sequences"] for c in found["cells"]) < 1e-5
    frames = {Path(p).stem: pd.read_parquet(p) for p in found["tables"]}
    assert set(frames) == {"response", "spectra", "bands", "heads", "causal"}
    orchestrator("collect", "small")
    table = pd.read_parquet("results/small/table.parquet").set_index("run_id")
    for frame in frames.values():
        assert set(frame["run_id"]) == set(table.index)
        assert set(frame.columns[:6]) == {"run_id", "arm", "task", "depth", "gamma", "seed"}
    causal = frames["causal"].set_index("run_id")
    intact = causal[causal["intervention"] == "intact"]
    assert (intact["eval_correct"] - table["eval_correct"]).abs().max() <= 1  # float64 and float32
    assert (intact["val_loss"] - table["val_loss"]).abs().max() < 1e-4
    off = causal[causal["intervention"] == "gamma_zero"]
    moved = (off["val_loss"] - intact["val_loss"])[table["gamma"] > 0]
    assert (moved.abs() > 1e-3).all()
    one = json.loads(orchestrator("probe", table.index[0], "--json").stdout)
    assert one["heads"][0]["prefix_matching"] == pytest.approx(
        frames["heads"].set_index("run_id").loc[table.index[0], "prefix_matching"]
    )


@pytest.mark.slow
def test_weights_of_a_pack_that_two_attempts_trained(sweep_file, store, tiny):
    submit(tiny, *KEPT)
    members = read_sweep(Store(store), "small").members
    (pack_id,) = {m.pack_id for m in members.values()}
    first = store / "packs" / pack_id / "0001"
    whole = kept_weights(Store(store), pack_id, set(members))
    # as a kill leaves it that comes while the second slice's weights are written
    first.with_name("results-001.json").unlink()
    (first / "weights-001.pt").rename(first / ".weights-001.pt.new")
    (first / "end.json").unlink()
    assert len(kept_weights(Store(store), pack_id, set(members))) == 2
    submit(tiny, *KEPT)
    assert (store / "packs" / pack_id / "0002" / "weights-001.pt").exists()
    again = kept_weights(Store(store), pack_id, set(members))
    assert set(again) == set(whole) == set(members)
    for run_id, parameters in whole.items():
        for name, value in parameters.items():
            assert torch.equal(value, again[run_id][name])


@pytest.mark.slow
def test_runs_without_weights(sweep_file, store, tiny):
    submit(tiny, "model.depth=1", "seed=0")
    refused = orchestrator("probe", "small")
    assert refused.returncode == 2 and not Path("results").exists()
    assert "execution.keep_weights=true" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    run_id = next(iter(read_sweep(Store(store), "small").members))
    bare = orchestrator("probe", run_id, "--json")
    assert bare.returncode == 0 and "execution.keep_weights=true" in bare.stderr
    assert set(json.loads(bare.stdout)) == {"run_id", "responses"}


def test_neither_run_nor_sweep(store):
    refused = orchestrator("probe", "nosuch")
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1 and "nosuch" in refused.stderr
