"""A measure of one's own: a column of both tables; a broken one is one line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from orchestrator.cli import main
from orchestrator.config import RunConfig
from orchestrator.describe import describe
from orchestrator.parts.measure import RESERVED
from orchestrator.tasks.recall import Recall

HEAD = "import torch\nCALLS = []\n\n"


def source(body: str, name: str = "mine", arguments: str = "forward") -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{HEAD}def {name}({arguments}):\n{lines}"


def gives(value: str, before: str = "") -> str:
    return source(f"{before}\nx = forward.logits_BQV\nreturn {value}")


BROKEN = {
    "no module": ("", "can't be imported"),
    "syntax error": ("def", "SyntaxError"),
    "raises on import": ("raise OSError('no data')", "no data"),
    "no such function": ("x = 1", "mine"),
    "no function": ("mine = 3", "must be a function"),
    "wrong signature": (source("return {}", arguments="a, b"), "fails (TypeError"),
    "raises": (gives("{'s': x @ x[:1, :1, :3]}"), "fails (RuntimeError"),
    "no such member": (gives("{'s': forward.nothing.mean()}"), "no attribute 'nothing'"),
    "gives a tensor": (gives("x.mean()"), "must give a dict of scalars"),
    "gives nothing": (gives("{}"), "must give a dict of scalars"),
    "gives numbers": (gives("{'s': 1.0}"), "s is float, must be a 0-d tensor"),
    "not a scalar": (gives("{'s': x.mean((0, 1))}"), "s has shape"),
    "complex": (gives("{'s': x.mean() * 1j}"), "must be real"),
    "not finite": (gives("{'s': x.mean() / 0}"), "before the first step"),
    "no name for a column": (gives("{'a b': x.mean()}"), "can't be a column"),
    "numbered": (gives("{1: x.mean()}"), "must give a dict of scalars by name"),
    "a column that is taken": (gives("{'val_loss': x.mean()}"), "'val_loss' is one of the tables"),
    "a description's name": (gives("{'depth': x.mean()}"), "'depth' is one of the tables"),
    "another measure's": (gives("{'query_gain': x.mean()}"), "'query_gain' is one of measures="),
    "random": (gives("{'s': torch.rand(())}"), "other numbers at the second call"),
    "remembers": (gives("{'s': x.mean() * len(CALLS)}", "CALLS.append(1)"),
                  "other numbers at the second call"),
    "renames": (gives("{f's{len(CALLS)}': x.mean()}", "CALLS.append(1)"),
                "other numbers at the second call"),
    "writes": (gives("{'s': x.mean()}", "list(forward.params.values())[0].mul_(2)"),
               "writes to the parameters"),
    "item": (gives("{'s': torch.tensor(x.mean().item())}"), "fails under vmap"),
    "branches": (gives("{'s': x.mean() if x.mean() > -9 else x.sum()}"), "fails under vmap"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "verb"), [(k, "submit" if i % 4 else "plan") for i, k in enumerate(BROKEN)]
)
def test_a_broken_measure_is_one_line_and_nothing_is_written(
    kind, verb, store, tiny, sweep_file, capsys
):
    text, words = BROKEN[kind]
    name = f"broken_measure_{list(BROKEN).index(kind)}"  # a process imports a name once
    if text:
        Path(f"{name}.py").write_text(text)
    said = _refused(capsys, store, [verb, "small", *tiny, f"measures=[query_gain,{name}.mine]"])
    assert words in said and said.startswith(f"orchestrator: measures={name}.mine: ")


def _refused(capsys, store, words: list[str]) -> str:
    before = sorted(Path().rglob("*"))
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr()
    assert end.value.code == 2 and said.err.count("\n") == 1 and said.out == "", said
    after = [p for p in sorted(Path().rglob("*")) if "__pycache__" not in p.parts]
    assert after == before and not store.exists()
    return said.err


def test_misspelt_measures_are_one_line(store, tiny, sweep_file, capsys):
    words = ["submit", "small", *tiny]
    said = _refused(capsys, store, [*words, "measures=[atention_entropy]"])
    assert "did you mean attention_entropy?" in said
    assert "must be a list" in _refused(capsys, store, [*words, "measures=query_gain"])


MODEL = """
from torch import nn

class Plain(nn.Module):
    def __init__(self, vocab, length, scored, depth: int = 1):
        super().__init__()
        self.embedding, self.head = nn.Embedding(vocab, 8), nn.Linear(8, vocab)

    def forward(self, tokens_BT{argument}):
        x = self.embedding(tokens_BT)
        {body}
        return self.head(x.cumsum(1))
"""


def test_a_model_that_shows_no_attention_is_said_to(store, tiny, sweep_file, capsys):
    Path("plain_model.py").write_text(MODEL.format(argument="", body=""))
    words = [w for w in tiny if not w.startswith("model.")]
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/plain.yaml").write_text("_target_: plain_model.Plain\ndepth: 1\n")
    Path("sweeps/plain.yaml").write_text("defaults: [config, _self_]\n"
                                         "hydra: {sweeper: {params: {seed: '0,1'}}}\n")  # fmt: skip
    words = ["submit", "plain", *words, "model=plain"]
    said = _refused(capsys, store, [*words, "measures=[attention_entropy]"])
    assert "attention, which this model does not show" in said


def test_a_users_measure_and_ours_are_columns_and_what_was_not_measured_is_null(
    store, tiny, sweep_file
):
    Path("my_measures.py").write_text(
        source("return {'logit_rms': forward.logits_BQV.square().mean().sqrt(),\n"
               "        'norm': sum(p.square().sum() for p in forward.params.values()).sqrt()}",
               "sizes")
    )  # fmt: skip
    tiny = [*tiny, "model.depth=1", "seed=0"]
    for words in ([], ["measures=[my_measures.sizes,attention_entropy]"]):
        with pytest.raises(SystemExit) as end:
            main(["submit", "small", *tiny, *words])
        assert end.value.code == 0
    with pytest.raises(SystemExit):
        main(["collect", "small"])
    table = pd.read_parquet("results/small/table.parquet")
    curves = pd.read_parquet("results/small/curves.parquet")
    names = ["logit_rms", "norm", "attention_entropy"]
    assert len(table) == 4
    for frame in (table, curves):
        assert set(names) <= set(frame) and frame[names].dtypes.eq("float64").all()
    # Each run twice, with and without: to the same numbers, though under two ids.
    bare = table[table["measures"] == "[]"].set_index("gamma")
    full = table[table["measures"] != "[]"].set_index("gamma")
    assert bare[names].isna().all(axis=None) and (full[names] > 0).all(axis=None)
    for column in ("val_loss", "accuracy", "eval_correct", "mean_loss", "status"):
        assert bare[column].equals(full[column])
    last = curves.sort_values("step").groupby("run_id").last()
    for name in names:
        assert last.loc[full["run_id"], name].tolist() == full[name].tolist()
    of = curves[curves["run_id"].isin(full["run_id"])]
    assert of[names].notna().all(axis=None) and of.groupby("run_id")["norm"].nunique().min() > 1
    known = {*RESERVED, *describe(RunConfig(task=Recall()), "", 0), *names}
    stray = {c for c in (*table, *curves) if "." not in c} - known
    assert not stray, f"a measure could take the columns {stray}: add them to RESERVED"
