"""A default stands once, where its field is declared; and no run of a shipped sweep got another id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from orchestrator.bases import OWN, bases
from orchestrator.config import LENGTHS, OTHER_WAYS
from orchestrator.identity import flatten
from orchestrator.launch.multirun import run_hydra
from orchestrator.launch.sweeps import find_sweep, shipped

IDS = {
    "controls": (5100, "aa50916b9e4c6d3e"),
    "controls_small": (1071, "c5e12ea9b3e0527c"),
    "coordinates": (72, "1ea482311e4cce28"),
    "coordinates_small": (90, "7ad167a6c47fa562"),
    "demo": (84, "c33b24790f5b3868"),
    "depth_exchange": (10800, "56b77cff629b1f1e"),
    "depth_exchange_small": (672, "227037d2608fad42"),
    "forensics": (144, "da6e1c19d7d95ecc"),
    "forensics_small": (72, "2ff9ffd4aa2c6ef3"),
    "gamma_completep": (1176, "9a6e98402e417d61"),
    "gamma_completep_small": (504, "1057ac4dc1307e1c"),
    "gamma_depth": (1235, "c2cac4f42a02f996"),
    "gamma_depth_small": (510, "bf89ce3077cbf5a3"),
    "gamma_depth_small_tuned": (1710, "2d6777757c376827"),
    "gamma_width": (10500, "6b43727dd2f93c08"),
    "gamma_width_small": (375, "b51a2578d54f9e96"),
    "rate_depth": (1260, "74e3648925684b07"),
    "rate_depth_small": (456, "8a05568fa2f73b9d"),
    "rate_width": (1056, "7b00205a5621f15c"),
    "rate_width_small": (496, "b4e2239f75e060b9"),
    "single_layer_induction": (4320, "38619512f24d8934"),
    "single_layer_induction_small": (384, "e6298979cf795ff8"),
}
"""Runs of each shipped sweep, and the hash of their sorted ids, before defaults were moved."""


def composed(name: str, *words: str) -> list[Any]:
    out: list[Any] = []
    run_hydra(find_sweep(name), list(words), out.extend)
    return out


def test_the_ids_of_every_shipped_sweep_are_known():
    assert {p.stem for p in shipped("sweeps").glob("*.yaml")} == set(IDS)


@pytest.mark.parametrize("sweep", sorted(IDS))
def test_a_shipped_sweep_keeps_its_runs_and_says_its_claim(store, sweep):
    runs = composed(sweep)
    ids = sorted({e.run.run_id for e in runs})
    assert (len(ids), hashlib.sha256(" ".join(ids).encode()).hexdigest()[:16]) == IDS[sweep]
    law = runs[0].settings.sweep.law
    assert law.metric == "val_loss" and set(law.tuning_seeds or []) <= {e.run.seed for e in runs}
    text = find_sweep(sweep).read_text()
    if sweep.endswith("_tuned"):
        assert text.startswith(f"# Second stage of {sweep.removesuffix('_tuned')}")
    elif sweep != "demo":
        assert text.startswith("# ") and "# Claim: " in text and sweep.removesuffix("_small") in IDS


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in shipped("conf").rglob("*.yaml"):
        group = str(path.parent.relative_to(shipped("conf"))).lstrip(".")
        yield f"{group}/{path.stem}", yaml.safe_load(path.read_text()) or {}


def test_no_file_says_a_default_again():
    known = {name: dict(flatten(fields)) for name, fields in bases().items()}
    known["momentum"] = {k.removeprefix("momentum."): v for k, v in known["model"].items()}
    found = 0
    for name, content in files():
        if name.endswith("/own"):
            continue  # whose settings are a user's
        group, _, option = name.rpartition("/")
        defaults = known[option if group in OWN else group.rpartition("/")[2] or "run"]
        for key, value in flatten({k: v for k, v in content.items() if k != "defaults"}):
            assert key in defaults, f"{name}: {key}"
            # a choice's own name and a filter's arm may be the default's
            assert value != defaults[key] or key in ("name", "arm"), f"{name}: {key} is the default"
            found += 1
    assert found > 15


def test_what_is_composed_is_what_is_declared(store):
    (e,) = composed(str(shipped("conf") / "config.yaml"))
    known = {name: dict(flatten(fields)) for name, fields in bases().items()}
    said = {k: v for k, v in e.run.leaves().items() if not k.startswith("seed")}
    expected = {
        **{f"model.{k}": v for k, v in known["model"].items()},
        **{f"task.{k}": v for k, v in known["recall"].items()},
        **{f"optim.{k}": v for k, v in known["adamw"].items() if k not in OTHER_WAYS},
        **{f"budget.{k}": v for k, v in known["budget"].items()
           if k not in (*LENGTHS, "eval_tokens")},  # resolved into others
        "precision": "32-true",
        "budget.curve_sequences": 64, "measures": [],
    }  # fmt: skip
    assert (
        said == {k: v for k, v in expected.items() if k in said} and len(said) >= len(expected) - 2
    )
    assert e.settings == type(e.settings)()
