"""Measures: right numbers, run by run, on every path of training, whose bits they leave alone."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from orchestrator.config import Budget, Model, Momentum, RunConfig
from orchestrator.models.native.serves import serves
from orchestrator.optimizers.adamw import AdamW
from orchestrator.probe.trained import Trained
from orchestrator.probe.weights import kept_weights
from orchestrator.records.attempts import results
from orchestrator.records.curves import of_slot
from orchestrator.records.packs import Frozen, freeze, new_pack
from orchestrator.records.store import Store, read_lines
from orchestrator.settings import Execution
from orchestrator.tasks.recall import Recall
from orchestrator.tracking.content import run_ending, run_row
from orchestrator.training.pack import PackTrainer
from tests.training.attempted import until_done

OURS = ["attention_entropy", "attention_entropy_by_layer", "query_gain", "query_gain_by_layer"]
TASK = Recall(pairs=3, queries=3, keys=6, values=6)
STEPS = 40


def runs_of(measures: list[str], n: int = 3, lr: float = 3e-3) -> list[RunConfig]:
    return [
        RunConfig(
            task=TASK, measures=measures, seed=i,
            model=Model(depth=2, width=16, heads=2, momentum=Momentum(gamma=0.5 * i)),
            optim=AdamW(lr=lr if i == 1 else 3e-3, clip=None, warmup=2),
            budget=Budget(steps=STEPS, batch=8, evals=3, eval_sequences=32, curve_sequences=16),
        )
        for i in range(n)
    ]  # fmt: skip


def trained(root: Path, runs: list[RunConfig], native: bool, width: int = 2, stop_at: int = STEPS):
    """Results by slot, and curve rows of the attempt that counts; interrupted once at `stop_at`."""
    assert serves(runs[0])
    store, pack = Store(root), new_pack(runs, Frozen(False, native, 1, width))
    freeze(store, pack)
    steps, told, tries = [0], [], []

    def stopping() -> bool:
        if steps[0] >= stop_at and not told:
            told.append(True)
            return True
        return False

    execution = Execution(device="cpu", keep_weights=True)
    report = lambda _, step, share: steps.__setitem__(0, step)
    until_done(store, pack, tries, lambda a: PackTrainer(pack, a, execution, report, stopping))
    found = results(tries)
    rows = [row for a in tries[-1:] for row in read_lines(a.curves)]
    return [_lasting(found[r.run_id]) for r in runs], rows, (store, pack)


def _lasting(row: dict) -> dict:
    return {k: v for k, v in row.items() if k not in ("wall_s", "attempt", "run_id")}


@pytest.mark.parametrize("native", [True, False], ids=["native", "torch"])
def test_numbers_are_those_of_the_opened_model_and_training_keeps_its_bits(native, tmp_path):
    """Three runs in slices of two: the last one is padded. Beside the float64 forensics."""
    runs = runs_of(OURS)
    bare, bare_rows, _ = trained(tmp_path / "bare", runs_of([]), native)
    full, rows, (store, pack) = trained(tmp_path / "full", runs, native)
    names = {"attention_entropy", "query_gain"} | {
        f"{name}_layer{i}" for name in ("attention_entropy", "query_gain") for i in range(2)
    }
    assert [{k: v for k, v in r.items() if k not in names} for r in full] == bare
    assert [_unmeasured(r) for r in rows] == [_unmeasured(r) for r in bare_rows]
    weights = kept_weights(store, pack.pack_id, set(pack.run_ids))
    for run, row in zip(runs, full, strict=True):
        _, layers = Trained(run, weights[run.run_id]).record()
        for i, layer in enumerate(layers):
            a = layer.pattern_BHTT
            entropy = -(a * a.clamp_min(1e-300).log()).sum(-1).mean()
            assert row[f"attention_entropy_layer{i}"] == pytest.approx(entropy.item(), rel=1e-4)
            rms = [z.square().mean((0, 2, 3)).sqrt() for z in (layer.after[0], layer.before[0])]
            gain = (rms[0] / rms[1]).mean().item()
            assert row[f"query_gain_layer{i}"] == pytest.approx(gain, rel=1e-4)
        for name in ("attention_entropy", "query_gain"):
            both = [row[f"{name}_layer{i}"] for i in range(2)]
            assert row[name] == pytest.approx(sum(both) / 2, rel=1e-6)
        assert 0 < row["attention_entropy"] < math.log(TASK.length)
    gains = [row["query_gain"] for row in full]
    assert gains[0] == pytest.approx(1, abs=1e-6) and gains == sorted(gains)


def _unmeasured(row: dict) -> dict:
    return {k: v for k, v in row.items() if k not in ("wall_s", "measures")}


def test_they_come_through_an_interruption_bit_for_bit(tmp_path):
    whole, rows, _ = trained(tmp_path / "whole", runs_of(OURS), False)
    again, parts, _ = trained(tmp_path / "parts", runs_of(OURS), False, stop_at=1)
    assert again == whole
    assert [r["measures"] for r in parts] == [r["measures"] for r in rows]


@pytest.mark.parametrize("native", [True, False], ids=["native", "torch"])
def test_a_run_that_diverged_has_null_and_its_mates_their_numbers(native, tmp_path):
    calm, _, _ = trained(tmp_path / "calm", runs_of(OURS), native, 3)
    wild, rows, _ = trained(tmp_path / "wild", runs_of(OURS, lr=1e30), native, 3)
    assert wild[1]["status"] == "diverged" and wild[1]["attention_entropy"] is None
    if native:  # whose runs know nothing of their mates
        assert wild[0] == calm[0] and wild[2] == calm[2]
    assert wild[2]["query_gain"] > 1
    step, sent = run_row(rows[-1], 2)
    assert step == STEPS and sent["query_gain"] == wild[2]["query_gain"]
    assert "query_gain" not in run_row(rows[-1], 1)[1]  # W&B is told numbers alone
    assert of_slot(rows[-1], 1)["query_gain"] is None
    assert run_ending({**wild[2], "run_id": "x"}).summary["query_gain"] == wild[2]["query_gain"]


def test_a_slice_that_memory_does_not_take_is_measured_in_parts(tmp_path, monkeypatch):
    from orchestrator.training.measures import Measures

    whole, _, _ = trained(tmp_path / "whole", runs_of(OURS), True, 3)
    made = Measures.__init__

    def scarce(self, core, run):
        made(self, core, run)
        function = self.over_runs.function

        def small(*args):
            if len(args[0]) > 1:
                raise torch.OutOfMemoryError("stand-in")
            return function(*args)

        self.over_runs.function, self.over_runs.make = small, lambda: small

    monkeypatch.setattr(Measures, "__init__", scarce)
    monkeypatch.setattr("orchestrator.training.pack._made", {})
    parts, _, _ = trained(tmp_path / "parts", runs_of(OURS), True, 3)
    for one, other in zip(parts, whole, strict=True):
        assert one["query_gain"] == pytest.approx(other["query_gain"], rel=1e-5)
        assert one["attention_entropy"] == pytest.approx(other["attention_entropy"], rel=1e-5)


def test_measures_are_part_of_identity_and_of_nothing_that_trains():
    (bare,), (full,) = runs_of([], 1), runs_of(OURS, 1)
    assert bare.run_id != full.run_id
    assert dataclasses.replace(full, measures=OURS[::-1]).run_id == full.run_id
    assert full.leaves()["measures"] == sorted(OURS)
