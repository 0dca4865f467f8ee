"""Parts that are not ours: found by import path; whatever their code does wrong is one line."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import UserError

if TYPE_CHECKING:
    from orchestrator.config import RunConfig

OURS = "orchestrator"
"""Top-level package of the parts that came with the lab: tested, and versioned by VERSION."""
LONGEST = 240
"""Letters of an exception's message that are shown."""

_folder: Path | None = None


@dataclass(frozen=True)
class Part:
    """One part that a run names by its import path."""

    kind: str
    """task, operator, attention, model, optimizer, measure."""
    key: str
    """The setting that names it, such as model.attention."""
    path: str
    """Its import path, such as my.parts.attend."""

    def fault(self, what: str) -> UserError:
        """The one line that says what is wrong with it, and what was expected."""
        return UserError(f"{self.key}={self.path}: {what}")

    def require(self, ok: bool, what: str) -> None:
        """Raises: UserError unless `ok`."""
        if not ok:
            raise self.fault(what)


def ours(path: str) -> bool:
    """Whether an import path names a part that came with the lab."""
    return path.partition(".")[0] == OURS


def user_parts(run: RunConfig) -> list[Part]:
    """The parts of a run that are not ours, in the order in which they are tried."""
    from orchestrator.identity import target

    named = [("task", "task._target_", target(run.task))]
    momentum = run.model.momentum
    if momentum is None:
        named.append(("model", "model._target_", target(run.model)))
    else:
        named.append(("operator", "model.momentum.operator", momentum.operator))
        named.append(("attention", "model.attention", run.model.attention))
    named.append(("optimizer", "optim._target_", target(run.optim)))
    named += [("measure", "measures", path) for path in run.measures if "." in path]
    return [Part(kind, key, path) for kind, key, path in named if path and not ours(path)]


def stand_in(folder: str) -> None:
    """Import parts from `folder` (settings.Execution.parts) instead of the working folder."""
    global _folder
    _folder = Path(folder)


def standing_in() -> Path:
    """The folder that parts are imported from, before the rest of Python's path."""
    return _folder or Path.cwd()


def locate(path: str, key: str) -> Any:
    """The object at a dotted import path. Raises: UserError where it can't be imported."""
    return load(Part("", key, str(path)))


def load(part: Part) -> Any:
    """The object that a part's import path names; what it prints meanwhile is not shown.

    Raises: UserError where it can't be imported, for whatever reason.
    """
    names = part.path.split(".")
    part.require(len(names) > 1 and all(names), "must be an import path such as my.module.name")
    if not ours(part.path):
        _importable(standing_in())
    with guarded(part, "can't be imported"):
        module, rest = _module(names)
        found = module
        for name in rest:
            found = getattr(found, name)
    return found


def _module(names: list[str]) -> tuple[Any, list[str]]:
    """The longest beginning of a dotted path that is a module, and what is left of the path."""
    first: ModuleNotFoundError | None = None
    for cut in range(len(names) - 1, 0, -1):
        path = ".".join(names[:cut])
        try:
            return importlib.import_module(path), names[cut:]
        except ModuleNotFoundError as e:
            if e.name is None or not f"{path}.".startswith(f"{e.name}."):
                raise  # it is there, and imports something that is not
            first = first or e
    raise first or ModuleNotFoundError(names[0])


def _importable(folder: Path) -> None:
    known = {str(Path(p).absolute()) for p in sys.path}
    if str(folder) not in known:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()


@contextlib.contextmanager
def guarded(part: Part, doing: str) -> Iterator[None]:
    """Run a user's code: whatever it raises is one line, an exit too; what it prints is dropped.

    Raises: UserError.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    except KeyboardInterrupt:
        raise
    except UserError as e:
        raise UserError(_line(str(e))) from e
    except BaseException as e:  # sys.exit() too
        raise part.fault(f"{doing} ({said(e)})") from e


def said(e: BaseException) -> str:
    """An exception as one short line: its kind, its message, and where the user's code raised it."""
    if isinstance(e, SystemExit):
        text = f"it exits the interpreter with status {e.code}"
    elif isinstance(e, (ImportError, AttributeError)):
        text = _line(str(e)) or type(e).__name__
    else:
        text = f"{type(e).__name__}: {_line(_message(e))}".removesuffix(": ")
    place = f"{Path(e.filename or '?').name}, line {e.lineno}" if isinstance(e, SyntaxError) else ""
    frames = traceback.extract_tb(e.__traceback__)
    root = str(standing_in())
    own = [f for f in frames if f.filename.startswith(root) and "site-packages" not in f.filename]
    if own and not place:
        place = f"{Path(own[-1].filename).name}, line {own[-1].lineno}"
    return f"{text}; {place}" if place else text


def _message(e: BaseException) -> str:
    try:
        return str(e)
    except Exception:  # noqa: BLE001 (a user's own kind of exception)
        return ""


def _line(text: str) -> str:
    whole = " ".join(text.split())
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 3]}..."
