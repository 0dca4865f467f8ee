"""`analysis tune` writes a file that composes to the runs it was made from, for every arm that a table
can hold: labels in any letters, arms altered from a group of their name, parts of one's own."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from analysis.cli import main
from orchestrator.config import RunConfig, run_config
from orchestrator.describe import describe
from orchestrator.launch.multirun import run_hydra
from orchestrator.records.tables import Columns

GAMMAS, RATES, DEPTHS = (0.0, 0.1, 0.4, 1.6), (1e-3, 3e-3), (1, 2)
PARTS = """
from torch import nn

def shear(z_BHTD, taps_HK):
    return z_BHTD

def attend(q, k, v):
    return v

class Net(nn.Module):
    def __init__(self, vocab: int, gamma: float = 0.0, depth: int = 1, width: int = 16, note: str = ""):
        super().__init__()
        self.head = nn.Embedding(vocab, vocab)

    def forward(self, tokens):
        return self.head(tokens)
"""
GROUPS = ("raw", "key_only", "norm_matched", "low_pass", "smoothed", "pre_rope")
labels = st.one_of(
    st.sampled_from(GROUPS),
    st.sampled_from(["two words", "a,b", "it's", '"q"', "a=b", "null", "True", "1e-3", "${seed}", "",
                     "\\", "\\'", "x\\", "model.width", "[1]", "{a:1}", "γ*", "a\nb", "#x", "- x",
                     "range(1,3)", "a: b", "\\${x}", "[red]x", "\u2028", "~", "%s", "@x"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)  # fmt: skip


def no_list(text: str) -> bool:
    """Whether a setting's text can't be taken for a list, which stands in a table as JSON."""
    return not text.startswith(("[", "{"))


momenta = st.fixed_dictionaries(
    {"streams": st.sampled_from(["qk", "k", "q", "kq", "qkv"]),
     "norm": st.sampled_from(["raw", "matched", "gain_only"]),
     "layers": st.sampled_from(["all", "first", "last", [0]]),
     "placement": st.sampled_from(["post_rope", "pre_rope"]),
     "smoothing": st.sampled_from([0.0, 0.5]), "kernel": st.sampled_from([3, 4]),
     "operator": st.sampled_from([None, None, "mine.shear"])}
)  # fmt: skip
ours = st.fixed_dictionaries(
    {"momentum": momenta, "attention": st.sampled_from([None, None, "mine.attend"]),
     "mlp_ratio": st.sampled_from([0.0, 2.5]), "rope_base": st.sampled_from([1e4, None])}
)  # fmt: skip
theirs = st.fixed_dictionaries({"_target_": st.just("mine.Net"), "note": labels.filter(no_list)})
optims = st.sampled_from(
    [{}, {}, {"clip": None}, {"_target_": "orchestrator.optimizers.lion.Lion", "beta1": 0.8}]
)
arms = st.lists(st.tuples(labels, st.one_of(ours, ours, theirs), optims), min_size=1, max_size=4)
shared = st.fixed_dictionaries(
    {"measures": st.sampled_from([[], ["query_gain"]]), "seed_init": st.sampled_from([None, 7]),
     "precision": st.sampled_from(["32-true", "bf16-mixed"])}
)  # fmt: skip
tasks = st.sampled_from(
    [{"_target_": "orchestrator.tasks.recall.Recall", "pairs": 3, "queries": 2},
     {"_target_": "orchestrator.tasks.induction.Induction", "vocab": 19}]
)  # fmt: skip


def runs_of(label, model, optim, task, common) -> list[RunConfig]:
    """The tuning runs of one arm."""
    out = []
    for depth, gamma, lr in itertools.product(DEPTHS, GAMMAS, RATES):
        if "momentum" in model:
            named = {**model, "momentum": {**model["momentum"], "arm": label, "gamma": gamma}}
        else:
            named = {**model, "gamma": gamma}
        tree = {"task": task, "model": {**named, "depth": depth}, "optim": {**optim, "lr": lr},
                "budget": {"steps": 30}, "seed": 100, **common}  # fmt: skip
        out.append(run_config(tree))
    return out


def collected(runs: list[RunConfig], folder: Path) -> Path:
    """A table of these runs, written as collect writes it, with losses that have a minimum."""
    columns = Columns()
    for run in runs:
        gamma, depth = run.gamma, run.model.depth
        loss = 1 + 0.1 * (np.log(gamma + 0.01) - np.log(0.4 / depth)) ** 2 + run.optim.lr
        result = {"status": "completed", "val_loss": loss, "steps": run.budget.steps}
        columns.add({**describe(run, run.arm, run.seed), "sweep": "made_up", **result})
    about = {"sweep": "made_up", "law": {"name": "gamma_star", "metric": "val_loss"}}
    table = columns.table().replace_schema_metadata({b"orchestrator": json.dumps(about).encode()})
    pq.write_table(table, folder / "table.parquet")
    return folder / "table.parquet"


def composed(path: Path) -> dict[str, RunConfig]:
    """The runs that `orchestrator plan` would make of a file."""
    found: list[RunConfig] = []
    run_hydra(path, [], lambda batch: found.extend(e.run for e in batch))
    return {r.run_id: r for r in found}


def test_random_arms(store, capsys):
    Path("mine.py").write_text(PARTS)

    @settings(max_examples=12, deadline=None, phases=[Phase.generate], derandomize=True)
    @given(arms, tasks, shared)
    def holds(drawn, task, common):
        runs: dict[str, RunConfig] = {}
        names: dict[str, str] = {}
        for label, model, optim in drawn:
            mine = runs_of(label, model, optim, task, common)
            if mine[0].run_id in runs or mine[0].arm in names.values():
                continue  # one run under two names, or one name for two, is no table
            runs |= {r.run_id: r for r in mine}
            names |= {r.run_id: r.arm for r in mine}
        table = collected(list(runs.values()), Path.cwd())
        status = main(["tune", str(table), "--seeds", "0-1"])
        out, err = capsys.readouterr()
        assert status == 0, err
        Path("next.yaml").write_text(out)
        again = composed(Path("next.yaml"))
        assert {
            k: again[k].arm for k in runs
        } == names  # the tuning runs, which are trained already
        fresh = [r for k, r in again.items() if k not in runs]
        assert {(r.arm, r.model.depth, r.seed) for r in fresh} == {
            (arm, depth, seed) for arm in names.values() for depth in DEPTHS for seed in (0, 1)
        }
        tuned = {settings_of(r) for r in runs.values()}
        assert {settings_of(r) for r in fresh} == tuned  # but for gamma, rate and seed

    holds()


def settings_of(run: RunConfig) -> str:
    """All of a run's config that a second stage keeps."""
    swept = ("model.momentum.gamma", "model.gamma", "optim.lr", "seed", "seed_init", "seed_data")
    return repr([(k, v) for k, v in run.leaves().items() if k not in swept])
