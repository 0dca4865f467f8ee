"""One sweep file and its overrides through Hydra: every error of a user's is one clear line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, OverrideParseException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from orchestrator.errors import UserError
from orchestrator.launch.compose import experiments
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.explain import explained, first_line
from orchestrator.launch.optimise import Search
from orchestrator.launch.overrides import (
    Names,
    require_effective,
    require_one_setting,
    require_option,
    require_ours,
)
from orchestrator.launch.retarget import SECTIONS, retargeted
from orchestrator.launch.sweeps import shipped, sweep_name
from orchestrator.parts.own import ours

Jobs = Sequence[Sequence[str]]
"""Words of each run."""


@dataclass
class Verb:
    """What Hydra calls its task function: composes jobs, checks them, and does what was asked."""

    do: Callable[[list[Experiment]], Any]
    names: Names = field(default_factory=Names)
    first: Experiment | None = None
    raised: BaseException | None = None
    """What went wrong on our side, so that it is not taken for the sweeper's own error."""

    def union(self, loader: ConfigLoader, config: DictConfig, grids: Sequence[Jobs]) -> Any:
        """All runs of a sweep that is known beforehand: a union of grids."""
        flat = [job for jobs in grids for job in jobs]
        found = experiments(loader, config, flat)
        self._require_one_setting(found)
        rows = list(zip(flat, (e.run for e in found), (e.settings for e in found), strict=True))
        for jobs in grids:
            self.names.add(rows[: len(jobs)])
            del rows[: len(jobs)]
        return self.do(found)

    def batch(self, loader: ConfigLoader, config: DictConfig, jobs: Jobs) -> list[Any]:
        """Some runs of a sweep that goes on with what they return."""
        try:
            found = experiments(loader, config, jobs)
            self._require_one_setting(found)
            self.names.check([(j, e.run, e.settings) for j, e in zip(jobs, found, strict=True)])
            return self.do(found)
        except BaseException as e:
            self.raised = e
            raise

    def _require_one_setting(self, found: list[Experiment]) -> None:
        self.first = self.first or found[0]
        distinct = {id(e.settings): e.settings for e in found}
        require_one_setting([self.first.settings, *distinct.values()])


def run_hydra(
    path: Path,
    overrides: list[str],
    verb: Callable[[list[Experiment]], Any],
    optimise: Callable[[list[Experiment]], list[Any]] | None = None,
) -> None:
    """Compose a primary config and let its sweeper call `verb` once with all experiments.

    Another sweeper than a grid calls `optimise` with batches of them, and gets for each its
    objectives (a number, several, or an Exception); without `optimise` it is refused.
    Raises: UserError for anything wrong in the file or the overrides.
    """
    with hydra_of(path) as hydra:
        cfg = composed(hydra, path, overrides)
        choices = cfg.hydra.runtime.choices
        require_ours(str(choices["hydra/launcher"]))
        chosen = str(choices["hydra/sweeper"])
        context = HydraContext(hydra.config_loader, Callbacks(cfg))
        words = OmegaConf.to_container(cfg.hydra.overrides.task)
        if chosen in ("grid", "basic"):
            _require_grid(cfg, chosen)
            task = Verb(verb)
            sweeper = Plugins.instance().instantiate_sweeper(
                config=cfg, hydra_context=context, task_function=task
            )
            sweeper.sweep(words)
            return
        if optimise is None:
            raise UserError(
                f"hydra/sweeper={chosen}: chooses its points as results come in, so that they can't "
                "be known beforehand; `orchestrator submit` trains them"
            )
        task = Verb(optimise)
        search = Search(chosen, sweep_name(path, cfg.sweep.name), cfg)
        try:
            search.sweep(context, task, words)
        except Exception as e:  # a plugin's, of whatever kind
            if task.raised is not None or isinstance(e, UserError | HydraException):
                raise
            raise UserError(f"hydra/sweeper={chosen}: {type(e).__name__}: {first_line(e)}") from e


def show_composition(
    path: Path, overrides: list[str], cfg: str | None, info: str | None, resolve: bool
) -> None:
    """Hydra's own `--cfg` (job, hydra or all) and `--info`, of what does not vary in a sweep.

    Raises: UserError.
    """
    with hydra_of(path) as hydra:
        whole = composed(hydra, path, overrides)
        if info is not None:
            hydra.show_info(info, path.stem, overrides, RunMode.MULTIRUN)
            return
        HydraConfig.instance().set_config(whole)
        OmegaConf.set_readonly(whole.hydra, None)
        print(OmegaConf.to_yaml(hydra.get_sanitized_cfg(whole, cfg), resolve=resolve), end="")


@contextlib.contextmanager
def hydra_of(path: Path) -> Iterator[Hydra]:
    """Hydra with the search path of a primary config, and its errors as UserErrors."""
    path = path.absolute()
    _require_readable(path)
    search = create_config_search_path(f"file://{path.parent}")
    after_main = SearchPathQuery(provider="main")
    own = (Path("sweeps").absolute(), Path("conf").absolute())
    for folder in (shipped("sweeps"), shipped("conf"), *own):
        if folder.is_dir():  # each goes right behind the sweep's folder: the last one is first
            search.append("orchestrator", f"file://{folder}", anchor=after_main)
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2("orchestrator", search)
    try:
        yield hydra
    except OverrideParseException as e:
        raise UserError(
            f"{e.override}: not an override as Hydra's grammar has it (KEY=VALUE)"
        ) from e
    except (HydraException, OmegaConfBaseException) as e:
        raise UserError(explained(e, hydra, path.stem)) from e
    except YAMLError as e:
        raise UserError(f"{path}: not readable as YAML ({first_line(e)})") from e
    finally:
        GlobalHydra.instance().clear()


def composed(hydra: Hydra, path: Path, overrides: list[str]) -> DictConfig:
    """The primary config as Hydra has it before the sweep, its words checked."""
    parser = OverridesParser.create(config_loader=hydra.config_loader)
    parsed = parser.parse_overrides(overrides)
    require_effective(parsed)
    for o in parsed:
        require_option(o, hydra.config_loader.get_group_options(o.key_or_group, ObjectType.CONFIG))
    words = retargeted(parsed, _targets_set(path))
    return hydra.compose_config(path.stem, words, RunMode.MULTIRUN)


def _targets_set(path: Path) -> list[str]:
    """The sections for which a sweep's file itself names a user's part."""
    content = OmegaConf.load(path)
    named = {s: OmegaConf.select(content, f"{s}._target_") for s in SECTIONS}
    return [s for s, target in named.items() if isinstance(target, str) and not ours(target)]


def _require_grid(cfg: DictConfig, chosen: str) -> None:
    """Hydra's basic sweeper is our grid, which composes no job twice and writes no file."""
    if cfg.sweep.get("objectives") is not None:
        raise UserError(
            f"sweep.objectives={list(cfg.sweep.objectives)}: hydra/sweeper={chosen} optimises "
            "nothing; choose one that does, such as hydra/sweeper=optuna"
        )
    if chosen == "basic":
        if cfg.hydra.sweeper.max_batch_size is not None:
            raise UserError(
                f"hydra.sweeper.max_batch_size={cfg.hydra.sweeper.max_batch_size}: packs are made "
                "over the whole sweep; execution.pack says how large they are"
            )
        cfg.hydra.sweeper = {
            "_target_": "hydra_plugins.orchestrator_lab.GridSweeper",
            "params": cfg.hydra.sweeper.params,
        }


def _require_readable(path: Path) -> None:
    try:
        content = OmegaConf.load(path)
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"{path}: can't be read ({e})") from e
    except (YAMLError, OmegaConfBaseException) as e:
        raise UserError(f"{path}: not readable as YAML ({first_line(e)})") from e
    if not OmegaConf.is_dict(content) or "defaults" not in content:
        raise UserError(f"{path}: a sweep file must begin with defaults: [config, _self_]")
    for key in content.get("hydra") or {}:
        if key not in ("sweeper", "searchpath"):
            raise UserError(f"{path}: hydra.{key} has no effect here; a sweep file may set sweeper")
