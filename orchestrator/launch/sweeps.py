"""Finding sweep files and running Hydra over them, with one clear line for every user's error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from orchestrator.coerce import unknown_key
from orchestrator.errors import UserError
from orchestrator.launch.compose import Experiment, leaves

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """The folder `conf` or `sweeps` that came with the package (wheel or checkout)."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def find_sweep(sweep: str) -> Path:
    """The file of a sweep: a path, or a stem in ./sweeps, then among the shipped ones.

    Raises: UserError naming the sweeps there are.
    """
    if sweep.endswith((".yaml", ".yml")) or "/" in sweep:
        path = Path(sweep)
        if not path.is_file():
            raise UserError(f"sweep {sweep}: no such file")
        return path.absolute()
    folders = [Path("sweeps").absolute(), shipped("sweeps")]
    for folder in folders:
        path = folder / f"{sweep}.yaml"
        if path.is_file():
            return path
    known = sorted({p.stem for f in folders if f.is_dir() for p in f.glob("*.yaml")})
    near = difflib.get_close_matches(sweep, known, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise UserError(f"sweep {sweep}: not found{hint}; known: {', '.join(known) or 'none'}")


def run_hydra(
    path: Path, overrides: list[str], verb: Callable[[list[Experiment]], list[Any]]
) -> None:
    """Compose a primary config and let its sweeper call `verb` with batches of experiments.

    Raises: UserError for anything wrong in the file or the overrides.
    """
    path = path.absolute()
    _require_readable(path)
    search = create_config_search_path(f"file://{path.parent}")
    after_main = SearchPathQuery(provider="main")
    for folder in (shipped("sweeps"), shipped("conf"), Path("conf").absolute()):
        if folder.is_dir():  # each goes right behind the sweep's folder: the last one is first
            search.append("orchestrator", f"file://{folder}", anchor=after_main)
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2("orchestrator", search)
    try:
        words = ["hydra/launcher=lab", *overrides]
        hydra.multirun(path.stem, verb, words, with_log_configuration=False)
    except OverrideParseException as e:
        raise UserError(f"{e.override}: not an override as Hydra's grammar has it") from e
    except (HydraException, OmegaConfBaseException) as e:
        raise UserError(_one_line(e, hydra, path)) from e
    except YAMLError as e:
        raise UserError(f"{path}: not readable as YAML ({_first_line(e)})") from e
    finally:
        GlobalHydra.instance().clear()


def sweep_name(path: Path, experiment: Experiment) -> str:
    """Name of the sweep's results: the file's `sweep.name`, else its stem."""
    name = experiment.settings.sweep.name or path.stem
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise UserError(f"sweep.name={name}: must be letters, digits, '_', '-' and '.'")
    return name


def _require_readable(path: Path) -> None:
    try:
        content = OmegaConf.load(path)
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"{path}: can't be read ({e})") from e
    except (YAMLError, OmegaConfBaseException) as e:
        raise UserError(f"{path}: not readable as YAML ({_first_line(e)})") from e
    if not OmegaConf.is_dict(content) or "defaults" not in content:
        raise UserError(f"{path}: a sweep file must begin with defaults: [config, _self_]")


def _first_line(e: BaseException) -> str:
    text = str(e).partition("Config search path:")[0].partition("See https://")[0]
    return " ".join(text.split())[:300] or type(e).__name__


def _one_line(e: Exception, hydra: Hydra, path: Path) -> str:
    """Hydra's message as one line; for a key that does not exist, with the nearest that does."""
    match = re.match(r"Could not override '([^']+)'", str(e)) or re.search(
        r"full_key: (\S+)", str(e)
    )
    if match:
        key = match.group(1)
        try:
            cfg = hydra.config_loader.load_configuration(path.stem, [], run_mode=RunMode.MULTIRUN)
        except (HydraException, OmegaConfBaseException):  # the file itself is what is wrong
            return _first_line(e)
        own = {k: v for k, v in OmegaConf.to_container(cfg).items() if k != "hydra"}
        if key not in leaves(own):
            return unknown_key(key, leaves(own))
    cause = e.__cause__
    if isinstance(cause, UserError):
        return str(cause)
    return _first_line(e)
