"""Every setting can be seen, with its meaning; a run's config trains that run again; Tab knows words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.coerce import coerce
from orchestrator.launch.multirun import run_hydra
from orchestrator.launch.sweeps import known_sweeps, shipped
from orchestrator.options.read import groups, sections
from orchestrator.records.packs import all_packs
from orchestrator.records.store import open_store
from tests.conftest import orchestrator


def says(capsys: pytest.CaptureFixture, *argv: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(argv))
    said = capsys.readouterr()
    return stop.value.code or 0, said.out, said.err


def test_every_setting_has_a_docstring_and_a_type(store):
    known = [o for s in sections() for o in s.options]
    assert not [o.key for o in known if not o.doc]
    assert len(known) > 90 and {o.key for o in known} >= {
        "model.depth", "model.momentum.gamma", "task.hops", "optim.lr", "budget.steps", "seed",
        "execution.threads", "cluster.partition", "tracking.project", "sweep.law.metric",
    }  # fmt: skip
    assert "Seconds" in next(o.doc for o in known if o.key == "execution.checkpoint_s")
    named = {s.name for s in sections()}
    for group in groups():
        assert group.replace("/", ".") in named, group
        files = {p.stem for p in (shipped("conf") / group).glob("*.yaml")}
        section = next(s for s in sections() if s.name == group.replace("/", "."))
        assert set(section.files) == files and all(section.files.values()), group


def test_config_shows_all_a_group_or_one_setting(store, capsys):
    code, out, _ = says(capsys, "config")
    assert code == 0
    assert "model.depth=1\tan integer\tNumber of layers N." in out.splitlines()
    assert "task=recall\toption\tAssociative recall" in out
    _, out, _ = says(capsys, "config", "model.momentum")
    lines = [x for x in out.splitlines() if not x.startswith("#")]
    assert all(x.startswith(("model.momentum.", "model/momentum=")) for x in lines) and lines
    assert says(capsys, "config", "model/momentum")[1] == out
    _, out, _ = says(capsys, "config", "task")
    assert "task.hops=2" in out and "task.pairs=" in out
    _, out, _ = says(capsys, "config", "task=hops")
    assert "task.hops=2" in out and "task.pairs=" not in out
    _, out, _ = says(capsys, "config", "optim.lr")
    assert out.count("\n") == 2 and "Peak learning rate" in out
    _, out, _ = says(capsys, "config", "execution", "--json")
    (section,) = json.loads(out)
    compile_ = next(o for o in section["options"] if o["key"] == "execution.compile")
    assert compile_["choices"] == ["auto", "on", "off"] and compile_["default"] == "auto"


def test_a_terminal_gets_tables_a_pipe_gets_lines(store, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    _, out, _ = says(capsys, "config", "budget")
    assert "\tan integer\t" not in out and "budget.steps" in out and "Optimiser steps." in out


def test_a_users_own_group_file_is_an_option(store, capsys):
    Path("conf/model/momentum").mkdir(parents=True)
    Path("conf/model/momentum/mine.yaml").write_text("# My own.\ndefaults: [raw, _self_]\n")
    assert "model/momentum=mine\toption\tMy own." in says(capsys, "config", "model.momentum")[1]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["task=hops", "model=small", "model.heads=2", "model.momentum.gamma=[0.5,[0.1,0.2]]",
         "model.depth=2", "optim.lr=1e-5"],
        ["task=induction", "model/momentum=shift", "optim.clip=null", "precision=64-true",
         "seed=5", "seed_data=7", "model.rope_base=null", "budget.curve_sequences=null"],
        *([f"model.momentum.arm={label}"] for label in (
            "'1e-3'", "'null'", r"'a\${seed}'", "'it: is, [mine]'", "' #x'", "'yes'", "'γ\n'")),
    ],
)  # fmt: skip
def test_a_runs_config_is_that_run(store, tiny, capsys, words):
    small = [w for w in tiny if not w.startswith("task")]
    assert says(capsys, "train", *small, *words)[0] == 0
    (pack,) = all_packs(open_store())
    (run_id,) = pack.run_ids
    code, text, _ = says(capsys, "config", run_id[:6])
    assert code == 0
    Path("again.yaml").write_text(text)
    found: list = []
    run_hydra(Path("again.yaml"), [], found.extend)
    assert [(e.run.run_id, e.run.arm) for e in found] == [(run_id, pack.runs[0].arm)]
    code, out, _ = says(capsys, "plan", "./again.yaml", "--json")
    assert code == 0 and json.loads(out)["counts"] == {"completed": 1}
    assert json.loads(says(capsys, "config", run_id, "--json")[1])["model"]["width"] == 16


WRONG = [
    (["config", "modl"], "config modl: no group, setting or run (did you mean model?)"),
    (["config", "optim.lrr"], "(did you mean optim.lr?)"),
    (["config", "0123"], "run 0123: no such run"),
    (["sumbit", "demo"], "sumbit: no such verb (did you mean submit?)"),
    (["plan", "demo", "--jsn"], "--jsn: no such option of `orchestrator plan` (did you mean --json?)"),
    (["collect", "demo", "--format", "csb"], "csb: no such choice (did you mean csv?)"),
    (["plan"], "the following arguments are required: SWEEP"),
    (["plan", "demo", "--cfg", "jobb"], "jobb: no such choice (did you mean job?)"),
    (["status", "demo", "--watchh"], "--watchh: no such option"),
    (["plan", "sub/iner"], "sweep sub/iner: not found (did you mean sub/inner?)"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "words"), WRONG, ids=lambda v: " ".join(v)[:40])
def test_a_misspelt_word_gets_the_nearest(store, capsys, argv, words):
    Path("sweeps/sub").mkdir(parents=True)
    Path("sweeps/sub/inner.yaml").write_text("defaults: [config, _self_]\n")
    code, _, error = says(capsys, *argv)
    assert code == 2 and words in error and error.count("\n") == 1, error
    assert not store.exists()


def test_a_sweep_in_a_folder_is_found_by_its_name(store, capsys):
    Path("sweeps/sub").mkdir(parents=True)
    Path("sweeps/base.yaml").write_text("defaults: [config, _self_]\nmodel: {depth: 3}\n")
    Path("sweeps/sub/inner.yaml").write_text("defaults: [base, _self_]\n")
    assert "sub/inner" in known_sweeps()
    plans = [
        json.loads(says(capsys, "plan", name, "--json")[1])
        for name in ("sub/inner", "sub/inner.yaml", "sweeps/sub/inner", "sweeps/sub/inner.yaml")
    ]
    assert all(plan == plans[0] for plan in plans) and plans[0]["sweep"] == "inner"


def test_hydras_own_views(store, capsys):
    import yaml

    code, out, _ = says(capsys, "plan", "demo", "--cfg", "job", "model.depth=7")
    cfg = yaml.safe_load(out)
    assert code == 0 and cfg["task"]["keys"] == 24 and "hydra" not in cfg
    assert "sweeper" in yaml.safe_load(says(capsys, "submit", "demo", "--cfg", "hydra")[1])["hydra"]
    done = orchestrator("train", "--info", "defaults")  # it turns the process' logging on
    assert done.returncode == 0 and "Defaults List" in done.stdout + done.stderr
    assert not store.exists()


def test_version(store, capsys):
    code, out, _ = says(capsys, "--version")
    assert code == 0 and out.startswith("momentum-lab 0.") and "code " in out


def completed(line: str, shell: str = "bash") -> list[str]:
    """What the shell is offered at the end of `line`."""
    code = (
        "import sys, orchestrator.cli as c\n"
        "def end(status):\n"
        "    assert not {'torch', 'lightning', 'wandb', 'hydra'} & set(sys.modules)\n"
        "    raise SystemExit(status)\n"
        "import os; os._exit = end\n"
        "c.main()"
    )
    env = {
        **os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": "offered", "_ARGCOMPLETE_SHELL": shell,
        "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [w.strip() for w in Path("offered").read_text().split("\n")]


def test_tab(store):
    Path("sweeps/sub").mkdir(parents=True)
    Path("sweeps/sub/inner.yaml").write_text("defaults: [config, _self_]\n")
    assert "submit" in completed("orchestrator su")
    assert completed("orchestrator plan dem") == ["demo"]
    assert completed("orchestrator plan sub/") == ["sub/inner"]
    assert completed("orchestrator plan demo model.dep") == ["model.depth="]
    assert {"model/momentum=raw", "model/momentum=raw_first"} <= set(
        completed("orchestrator submit demo model/momentum=ra")
    )
    assert completed("orchestrator submit demo task=recall,ho") == ["task=recall,hops"]
    assert completed("orchestrator train optim.schedule=cos") == ["optim.schedule=cosine"]
    assert "model.momentum.gamma" in completed("orchestrator config model.momentum.ga")


def test_types_in_words():
    from orchestrator.errors import UserError

    with pytest.raises(UserError, match=r"k=\[1, 2\]: must be an integer or null; .* k=1,2 \("):
        coerce([1, 2], int | None, "k")
