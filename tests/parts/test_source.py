"""A part's source is its runs' identity: what computes counts, how it is written does not."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from orchestrator.config import Model, Momentum, RunConfig, run_config
from orchestrator.errors import UserError
from orchestrator.parts.own import Part
from orchestrator.parts.source import _module_hash, source_hash
from orchestrator.tasks.hops import Hops
from orchestrator.tasks.recall import Recall

PACKAGE = {
    "my/__init__.py": "SCALE = 1\n",
    "my/parts.py": '"""Doc."""\nfrom my.first import one\nfrom . import second\n'
    "import beside\n\ndef f(z, taps):\n    '''Doc.'''\n    import my.inside\n"
    "    import importlib\n    importlib.import_module('my.named')\n    return z  # as it is\n",
    "my/first.py": "from .deep.down import x\none = 1\n",
    "my/second.py": "two = 2\n",
    "my/inside.py": "three = 3\n",
    "my/named.py": "four = 4\n",
    "my/deep/__init__.py": "",
    "my/deep/down.py": "x = 1\n",
    "my/unrelated.py": "y = 1\n",
    "beside.py": "z = 1\n",
    "elsewhere.py": "w = 1\n",
}


def hashed(path: str = "my.parts.f") -> str:
    """The source's hash as a new process has it."""
    _module_hash.cache_clear()
    for name in list(sys.modules):
        if name.partition(".")[0] in ("my", "beside", "elsewhere"):
            del sys.modules[name]
    importlib.invalidate_caches()
    return source_hash(Part("operator", "model.momentum.operator", path))[1]


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name, text in PACKAGE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path
    for name in list(sys.modules):
        if name.partition(".")[0] in ("my", "beside", "elsewhere"):
            del sys.modules[name]


SAME = {
    "a comment": ("my/parts.py", "# as it is", "# otherwise"),
    "a docstring": ("my/parts.py", "'''Doc.'''", "'''Another, of\n    two lines.'''"),
    "the module's docstring": ("my/parts.py", '"""Doc."""', '"""Docs."""'),
    "layout": ("my/parts.py", "def f(z, taps):", "def f(\n    z,\n    taps,\n):"),
    "quotes": ("my/parts.py", "'my.named'", '"my.named"'),
    "a module that is not imported": ("my/unrelated.py", "y = 1", "y = 2"),
    "a folder's other file": ("elsewhere.py", "w = 1", "w = 2"),
}
OTHER = {
    "what it gives": ("my/parts.py", "return z", "return -z"),
    "an argument": ("my/parts.py", "(z, taps)", "(z, tap)"),
    "a name": ("my/parts.py", "from my.first import one", "from my.first import one as o"),
    "a constant of the package": ("my/__init__.py", "SCALE = 1", "SCALE = 2"),
    "1 for True": ("my/__init__.py", "SCALE = 1", "SCALE = True"),
    "1 for 1.0": ("my/__init__.py", "SCALE = 1", "SCALE = 1.0"),
    "an absolute import": ("my/first.py", "one = 1", "one = 2"),
    "a relative import": ("my/second.py", "two = 2", "two = 3"),
    "an import of an import": ("my/deep/down.py", "x = 1", "x = 2"),
    "an import inside": ("my/inside.py", "three = 3", "three = 4"),
    "an import by name": ("my/named.py", "four = 4", "four = 5"),
    "a module beside the package": ("beside.py", "z = 1", "z = 2"),
}


@pytest.mark.parametrize("edit", [*SAME, *OTHER])
def test_what_is_hashed(package, edit):
    file, old, new = {**SAME, **OTHER}[edit]
    before = hashed()
    text = (package / file).read_text()
    assert text.count(old) == 1
    (package / file).write_text(text.replace(old, new))
    assert (hashed() == before) == (edit in SAME)


def test_it_does_not_depend_on_where_the_folder_is(package, tmp_path_factory, monkeypatch):
    before = hashed()
    moved = tmp_path_factory.mktemp("moved") / "away"
    package.rename(moved)
    monkeypatch.syspath_prepend(str(moved))
    assert hashed() == before


def test_it_is_the_same_whatever_was_imported_before(package):
    before = hashed()
    _module_hash.cache_clear()
    importlib.import_module("my.unrelated")
    importlib.import_module("elsewhere")
    assert source_hash(Part("operator", "model.momentum.operator", "my.parts.f"))[1] == before


@pytest.mark.parametrize("path", ["math.hypot", "builtins.sum", "itertools.chain"])
def test_a_source_that_cannot_be_read_is_refused(path):
    task = {"_target_": "orchestrator.tasks.recall.Recall"}
    run = run_config({"task": task, "model": {"attention": path}})
    with pytest.raises(UserError) as error:
        _ = run.run_id
    assert str(error.value).startswith(f"model.attention={path}: its source can't be read")


def test_an_installed_part_is_known_by_its_installers_digests():
    module, digest = source_hash(Part("operator", "k", "rich.pretty.pprint"))
    assert module == "rich.pretty" and len(digest) == 12
    assert source_hash(Part("operator", "k", "rich.console.detect_legacy_windows"))[1] == digest


def test_identities_of_runs_without_own_parts_are_what_they_were():
    plain = RunConfig(task=Recall())
    assert plain.run_id == "8574c6592f622aef"
    model = Model(depth=3, momentum=Momentum(gamma=0.5, learn="taps"))
    assert RunConfig(task=Hops(), model=model, seed=4).run_id == "d2b54c433c3b7f2e"
    named = {"_target_": "orchestrator.models.transformer.Transformer", "depth": 3,
             "momentum": {"gamma": 0.5, "learn": "taps"}}  # fmt: skip
    hops = {"_target_": "orchestrator.tasks.hops.Hops"}
    assert run_config({"task": hops, "model": named, "seed": 4}).run_id == "d2b54c433c3b7f2e"


def test_a_part_in_the_identity_is_under_its_modules_name(package):
    hashed()
    config = {"task": {"_target_": "orchestrator.tasks.recall.Recall"},
              "model": {"momentum": {"operator": "my.parts.f"}}}  # fmt: skip
    run = run_config(config)
    assert run.versions["my.parts"] == hashed()
    (package / "my/second.py").write_text("two = 22\n")
    hashed()
    again = run_config(config)
    assert again.run_id != run.run_id and again.config_id == run.config_id
    assert Path(sys.modules["my.parts"].__file__).parent == package / "my"
