"""The source of a user's part as one hash, which enters the run's identity as our VERSIONs do.

Hashed: the part's module, the packages around it, and what these import, transitively, from the
same top-level package or, where that is no installed one, from the folder that holds it. Read as
syntax trees, executing nothing, without comments, layout and docstrings: a formatter or a better
comment trains nothing anew, while a changed constant does. Not seen: data files, modules imported
by a computed name, and installed packages (their versions stand in the records); for these a task
has its `version`. An installed part is hashed by the digests in its distribution's RECORD.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from orchestrator.parts.own import OURS, Part, load

_INSTALLED = ("site-packages", "dist-packages")
_NOT_THEIRS = (OURS, "analysis", "hydra_plugins")
"""Top-level packages that never count as a user's, wherever they lie."""


def source_hash(part: Part) -> tuple[str, str]:
    """(module, 12 hexadecimal digits) of a part's source.

    Raises: UserError where it can't be imported, or its source not be read.
    """
    found = load(part)
    part.require(callable(found), "must be a function or a class")
    module = getattr(found, "__module__", None) or ""
    if module.partition(".")[0] == OURS:  # ours under a name of theirs: it has a VERSION
        module = part.path.rpartition(".")[0]
    return module, _module_hash(module, part)


@lru_cache(maxsize=256)
def _module_hash(module: str, part: Part) -> str:
    """Once a process: what runs is what was imported, whatever the file becomes."""
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    part.require(
        module != "__main__" and file is not None,
        "its source can't be read (a notebook's, or a builtin): put it in a module's file",
    )
    path = Path(file).absolute()
    if any(p in _INSTALLED for p in path.parts):
        return _digest(_installed(module.partition(".")[0], part))
    part.require(
        path.suffix == ".py", f"its source can't be read ({path.name}): put it in a Python file"
    )
    root = path.parents[module.count(".") + (path.name == "__init__.py")]
    return _digest(_closure(root, module, part))


def _digest(lines: Iterator[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode() + b"\0")
    return digest.hexdigest()[:12]


def _closure(root: Path, module: str, part: Part) -> Iterator[str]:
    """Names and syntax of a module and of all it needs from `root`, sorted by name."""
    trees: dict[str, ast.Module] = {}
    left = [module]
    while left:
        name = left.pop()
        file = _file(root, name)
        if file is None or name in trees or name.partition(".")[0] in _NOT_THEIRS:
            continue
        try:
            trees[name] = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError) as e:
            raise part.fault(f"its source can't be read ({file.name}: {e})") from e
        around = name.rpartition(".")[0]
        left += [around] if around else []
        package = name if file.name == "__init__.py" else around
        left += _imports(trees[name], package)
    for name in sorted(trees):
        yield name
        yield from _syntax(trees[name])


def _file(root: Path, name: str) -> Path | None:
    """The file of a module below `root`; None where it is none of that folder's."""
    base = root.joinpath(*name.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Modules that a module may import, anywhere in it; some of the names may be no modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            words = [a.value for a in node.args[:1] if isinstance(a, ast.Constant)]
            if called in ("import_module", "__import__") and words and isinstance(words[0], str):
                yield words[0]


def _syntax(node: ast.AST) -> Iterator[str]:
    """A syntax tree as words that no version of Python says otherwise: empty fields left out."""
    body = getattr(node, "body", None)
    documented = isinstance(
        node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    ) and isinstance(ast.get_docstring(node, clean=False), str)
    yield f"({type(node).__name__}"
    for name, value in sorted(ast.iter_fields(node)):
        if name in ("ctx", "kind", "type_comment", "type_ignores") or value in (None, []):
            continue
        yield name
        values = value if isinstance(value, list) else [value]
        if documented and value is body:
            values = values[1:]
        for x in values:
            if isinstance(x, ast.AST):
                yield from _syntax(x)
            else:
                yield repr(x)
    yield ")"


def _installed(top: str, part: Part) -> Iterator[str]:
    """Digests of all files of a top-level package, as its installer wrote them down."""
    found = importlib.metadata.packages_distributions().get(top, [])
    lines = [
        f"{file}={file.hash.value}"
        for name in sorted(set(found))
        for file in importlib.metadata.files(name) or []
        if file.hash is not None and file.parts[0].partition(".")[0] == top
    ]
    part.require(bool(lines), "its source can't be read (installed without a RECORD)")
    yield from sorted(lines)
