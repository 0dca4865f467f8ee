"""What a place to train must do, and the two there are. No one else asks which of them it is."""

from __future__ import annotations

from typing import Any, Protocol

from orchestrator.launch.local import Local
from orchestrator.launch.slurm import Slurm
from orchestrator.records.packs import Pack
from orchestrator.records.store import Store
from orchestrator.settings import Settings


class Launcher(Protocol):
    """One value of `cluster.name`."""

    settings: Settings

    @property
    def queues(self) -> bool:
        """Whether packs wait in a queue, which has to answer before they are launched anew."""

    @property
    def waits(self) -> bool:
        """Whether `launch` returns only when the packs have ended."""

    @property
    def place(self) -> dict[str, Any] | None:
        """What chooses the machines: a measurement of one stands for all of the same. None: this one."""

    def require(self) -> None:
        """Prove that such jobs would be taken. Raises: UserError; nothing is written before."""

    def processes(self) -> int:
        """Processes that train side by side, where as many packs are to be trained."""

    def has_gpu(self) -> bool:
        """Whether a process is expected to find a GPU."""

    def describe(self, processes: int) -> str:
        """Where that many processes train, in words that end "about 3 min ..."."""

    def measure(self, store: Store, overrides: list[str]) -> str | None:
        """Have `orchestrator bench` run where packs would be trained; what was queued, in words, or None
        where that is here. Raises: UserError where it is refused.
        """

    def launch(self, store: Store, sweep: str, packs: list[Pack]) -> int:
        """Have packs trained; how many jobs failed, as far as it waits for them.

        Raises: UserError where they are refused; what was handed over before stays so.
        """


def launcher(settings: Settings) -> Launcher:
    """The launcher that the settings name."""
    return {"local": Local, "slurm": Slurm}[settings.cluster.name](settings)
