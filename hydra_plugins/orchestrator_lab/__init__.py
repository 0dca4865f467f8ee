"""Hydra's door to the orchestrator: a launcher and a grid sweeper, thin and torch-free.

The task function is a `orchestrator.launch.multirun.Verb`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from orchestrator.bases import bases


class LabLauncher(Launcher):
    """Hands whole batches of an optimising sweeper to the verb, and the values back."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.loader = hydra_context.config_loader
        self.verb: Any = task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        values = self.verb.batch(self.loader, self.config, job_overrides)
        return [
            JobReturn(
                overrides=job, _return_value=v,
                status=JobStatus.FAILED if isinstance(v, Exception) else JobStatus.COMPLETED,
            )
            for job, v in zip(job_overrides, values, strict=True)
        ]  # fmt: skip


class GridSweeper(Sweeper):
    """Hydra's multirun grammar as one grid: the sweep file's params, then the command line's.

    With `grids`, a list of further params, the sweep is the union of one grid for each of them: an
    entry replaces the common params of the same key, the command line replaces both. The keys of an
    entry of `zip` move together, in every grid.
    Unlike Hydra's basic sweeper it writes no file and composes no job twice.
    """

    def __init__(
        self, params: dict[str, Any] | None = None, grids: list[dict[str, Any]] | None = None,
        zip: list[dict[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        """All are read from the config (`sweep`)."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.loader = hydra_context.config_loader
        self.verb: Any = task_function
        self.config = config

    def sweep(self, arguments: list[str]) -> Any:
        from orchestrator.launch.compose import grid, grids, zipped

        parser = OverridesParser.create(config_loader=self.loader)
        # what the constructor got was resolved already: reading it again would unescape it twice
        file = OmegaConf.to_container(self.config.hydra.sweeper, resolve=True)
        entries = zipped(file.get("zip"), file["params"])
        zips = [parser.parse_overrides(words) for words in entries]
        jobs = [
            grid(parser.parse_overrides([*words, *arguments]), zips)
            for words in grids(file["params"], file.get("grids"))
        ]
        return self.verb.union(self.loader, self.config, jobs)


_store = ConfigStore.instance()
_store.store(
    group="hydra/launcher", name="lab", provider="orchestrator",
    node={"_target_": "hydra_plugins.orchestrator_lab.LabLauncher"},
)  # fmt: skip
_store.store(
    group="hydra/sweeper", name="grid", provider="orchestrator",
    node={
        "_target_": "hydra_plugins.orchestrator_lab.GridSweeper",
        "params": None, "grids": None, "zip": None,
    },
)  # fmt: skip
# Defaults stand in the dataclasses alone; the groups' files build on them.
for _name, _fields in bases().items():
    _store.store(group="settings", name=_name, node=_fields, provider="orchestrator")
