"""From a sweep file and overrides to typed experiments, equal to Hydra's own composition.

Hydra composes at about 0.1 s a config; so it composes once for each distinct choice of groups,
plain value overrides are applied to its result, and a sample is checked against Hydra.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from orchestrator.coerce import unknown_key
from orchestrator.config import run_config
from orchestrator.errors import UserError
from orchestrator.launch.experiment import Experiment
from orchestrator.launch.overrides import (
    is_a_group,
    require_option,
    require_possible,
    require_uncontested,
)
from orchestrator.launch.retarget import SECTIONS, retargeted
from orchestrator.parts.own import ours, stand_in
from orchestrator.records.packs import assign
from orchestrator.settings import KEYS, Settings, settings
from orchestrator.training.schedule import require_apart

_RUN_KEYS = (
    "model",
    "task",
    "optim",
    "budget",
    "measures",
    "precision",
    "seed",
    "seed_init",
    "seed_data",
)


def grids(params: Any, entries: Any) -> list[list[str]]:
    """Overrides of each grid of a sweep file: the common `params`, replaced by the entry's own.

    Raises: UserError where they are no mapping, or no list of mappings.
    """
    common = _words("params", params)
    return [list({**common, **entry}.values()) for entry in _entries("grids", entries) or [{}]]


def zipped(entries: Any, params: Any) -> list[list[str]]:
    """Overrides of each entry of a sweep file's `zip`, whose keys move together.

    Raises: UserError where it is no list of mappings, or a key is in two or in `params` too.
    """
    found = _entries("zip", entries)
    for i, entry in enumerate(found):
        for key in entry:
            if key in (params or {}):
                raise UserError(f"hydra.sweeper.zip: {key} is in params too; give it once")
            if any(key in other for other in found[:i]):
                raise UserError(
                    f"hydra.sweeper.zip: {key} is in two entries; it moves with one alone"
                )
    return [list(entry.values()) for entry in found]


def _entries(name: str, entries: Any) -> list[dict[str, str]]:
    if not isinstance(entries or [], Sequence) or isinstance(entries, str):
        raise UserError(f"hydra.sweeper.{name}: must be a list, each entry like params")
    return [_words(name, entry) for entry in entries or []]


def _words(name: str, part: Any) -> dict[str, str]:
    """The override of each key."""
    if not isinstance(part or {}, Mapping):
        raise UserError(f"hydra.sweeper.{name}={part}: must map keys to values")
    return {k: f"{k}={'null' if v is None else v}" for k, v in (part or {}).items()}


def grid(overrides: list[Override], zips: Sequence[Sequence[Override]] = ()) -> list[list[str]]:
    """The Cartesian product of sweep overrides, one list of plain overrides a job.

    The keys of one entry of `zips` take their values together, the first of each, the second and so
    on; where `overrides` (what comes later) has such a key too, its values take the entry's place, and
    a single value holds throughout.
    Raises: UserError for a kind of sweep that is no grid (interval), and for keys that are to move
    together and have not as many values as each other.
    """
    for o in (*overrides, *(o for entry in zips for o in entry)):
        if o.is_sweep_override() and not o.is_discrete_sweep():
            raise UserError(
                f"{o.input_line}: an interval is no grid; give values, or another hydra/sweeper"
            )
    later = {o.get_key_element(): o for o in overrides}
    moving = {o.get_key_element() for entry in zips for o in entry}
    (jobs,) = BasicSweeper.split_arguments([o for k, o in later.items() if k not in moving], None)
    for entry in zips:
        rows = _rows(entry, later)
        jobs = [[*job, *row] for job in jobs for row in rows]
    return jobs


def _rows(entry: Sequence[Override], later: Mapping[str, Override]) -> list[list[str]]:
    """The words of keys that move together, one list for each of their values."""
    words, counts = [], {}
    for o in entry:
        key = o.get_key_element()
        (rows,) = BasicSweeper.split_arguments([later.get(key, o)], None)
        words.append([word for (word,) in rows])
        if len(rows) > 1 or key not in later:
            counts[key] = len(rows)
    if len(set(counts.values())) > 1:
        said = " and ".join(f"{n} of {key}" for key, n in counts.items())
        raise UserError(
            f"hydra.sweeper.zip: {said}; keys that move together need as many values each"
        )
    n = max(counts.values(), default=1)
    return [[values[i % len(values)] for values in words] for i in range(n)]


def experiments(
    loader: ConfigLoader, master: DictConfig, jobs: Sequence[Sequence[str]]
) -> list[Experiment]:
    """Typed experiments of all jobs, each a list of overrides. Raises: UserError."""
    composer = _Composer(loader, master)
    jobs = [composer.words(list(job)) for job in jobs]
    trees = [composer.tree(job) for job in jobs]
    for i in {0, len(jobs) // 2, len(jobs) - 1} if jobs else ():
        theirs = composer.by_hydra(jobs[i])
        if _text(theirs) != _text(trees[i]):
            raise RuntimeError(f"composition of {jobs[i]} differs from Hydra's: please report")
    known: dict[str, Settings] = {}
    out = []
    for job, tree in zip(jobs, trees, strict=True):
        for key in tree:
            if key not in _RUN_KEYS + KEYS:
                raise UserError(unknown_key(key, [*_RUN_KEYS, *KEYS]))
        require_uncontested(job, tree)
        how = {k: tree[k] for k in KEYS if k in tree}
        text = json.dumps(how, default=str)
        if text not in known:
            known[text] = settings(how)
            known[text].cluster.require_effect(job)
            stand_in(known[text].execution.parts)
        run = run_config({k: tree[k] for k in _RUN_KEYS if k in tree})
        require_apart(run.budget, run.optim)
        out.append(Experiment(run, known[text]))
    return out


class _Composer:
    """Plain config trees of jobs; everything that depends on groups alone is composed once."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self.parser = OverridesParser.create(config_loader=loader)
        self.bases: dict[tuple[str, ...], tuple[dict[str, Any], DictConfig | None]] = {}
        self.parsed: dict[str, tuple[bool, Override]] = {}
        self.groups: dict[str, list[str]] = {}
        self.by_file: dict[str, bool] = {}

    def words(self, job: list[str]) -> list[str]:
        """A job's overrides, those of a user's part as Hydra takes them (launch.retarget)."""
        overrides = [self._parse(word)[1] for word in job]
        return retargeted(overrides, [s for s in SECTIONS if self._file_sets_target(s)])

    def _file_sets_target(self, section: str) -> bool:
        """Whether the sweep's file names a user's part itself, and not by a group's option."""
        if section not in self.by_file:
            named = OmegaConf.select(self.master, f"{section}._target_")
            foreign = isinstance(named, str) and not ours(named)
            own = self.by_hydra([f"{section}=own"]) if foreign else {}
            self.by_file[section] = bool(own.get(section, {}).get("_target_"))
        return self.by_file[section]

    def tree(self, job: list[str]) -> dict[str, Any]:
        """The resolved plain config of one job."""
        simple, rest = [], []
        for word in job:
            is_simple, override = self._parse(word)
            (simple if is_simple else rest).append((word, override))
        key = tuple(word for word, _ in rest)
        if key not in self.bases:
            self.bases[key] = self._base(list(key))
        tree, interpolated = self.bases[key]
        values = [(o.key_or_group, o.value()) for _, o in simple]
        odd = [o.key_or_group for _, o in simple if not _settable(tree, o)]
        for k in odd:
            if "." in k and self.loader.get_group_options(k.replace(".", "/"), ObjectType.CONFIG):
                raise UserError(is_a_group(k))
        if interpolated is not None or odd:
            return self.by_hydra(job)
        tree = _copy(tree)
        for name, value in values:
            assign(tree, name, value)
        return tree

    def by_hydra(self, job: list[str]) -> dict[str, Any]:
        """The same, composed by Hydra itself."""
        return _plain(self.loader.load_sweep_config(self.master, job))

    def _base(self, group_overrides: list[str]) -> tuple[dict[str, Any], DictConfig | None]:
        cfg = self.loader.load_sweep_config(self.master, group_overrides)
        raw = json.dumps(_unresolved(cfg), default=str)
        return _plain(cfg), cfg if "${" in raw else None

    def _parse(self, word: str) -> tuple[bool, Override]:
        """An override, and whether it only sets a value."""
        if word not in self.parsed:
            (override,) = self.parser.parse_overrides([word])
            require_possible(override)
            name = override.key_or_group
            if name not in self.groups:  # Hydra looks through the whole search path for it
                options = self.loader.get_group_options(name, ObjectType.CONFIG)
                self.groups[name] = options
            require_option(override, self.groups[name])
            simple = (
                override.type in (OverrideType.CHANGE, OverrideType.FORCE_ADD)
                and not self.groups[name]
                and override.package is None
                and not name.startswith("hydra.")
                and not isinstance(override.value(), dict)
                and not (isinstance(override.value(), str) and "${" in str(override.value()))
            )
            self.parsed[word] = (simple, override)
        return self.parsed[word]


def _settable(tree: dict[str, Any], override: Override) -> bool:
    """Whether an override sets a leaf of the tree, or adds one to a section that is there (anything
    else is Hydra's to judge)."""
    node: Any = tree
    *above, last = override.key_or_group.split(".")
    for part in above:
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    if not isinstance(node, dict) or (last not in node and override.type == OverrideType.CHANGE):
        return False
    return not isinstance(node.get(last), dict)


def _text(tree: dict[str, Any]) -> str:
    """A tree as text, so that nan equals nan, whatever the order of its keys."""
    return repr(sorted((k, _text(v) if isinstance(v, dict) else v) for k, v in tree.items()))


def _copy(tree: dict[str, Any]) -> dict[str, Any]:
    return {k: _copy(v) if isinstance(v, dict) else copy.copy(v) for k, v in tree.items()}


def _unresolved(cfg: DictConfig) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.masked_copy(cfg, _own_keys(cfg)))


def _plain(cfg: DictConfig) -> dict[str, Any]:
    own = OmegaConf.masked_copy(cfg, _own_keys(cfg))
    return OmegaConf.to_container(own, resolve=True, throw_on_missing=True)


def _own_keys(cfg: DictConfig) -> list[str]:
    return [k for k in cfg if k != "hydra"]


def leaves(tree: dict[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of all leaves and groups of a tree."""
    out = []
    for k, v in tree.items():
        out.append(f"{prefix}{k}")
        if isinstance(v, dict):
            out.extend(leaves(v, f"{prefix}{k}."))
    return out
