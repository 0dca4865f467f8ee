"""What a sweep varies, from its records: enough to lay out its pages. Imports no wandb."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.records.manifests import Sweep
from orchestrator.records.packs import read_pack
from orchestrator.records.store import Store


@dataclass(frozen=True)
class Facets:
    """The coordinates of a sweep's pages."""

    sweep: str
    metric: str
    """The sweep's primary metric."""
    arms: tuple[str, ...]
    depths: tuple[int, ...]
    learned: bool
    """Whether a run learns its γ."""
    runs: int

    @property
    def tag(self) -> str:
        """The tag of every run of the sweep."""
        return f"sweep:{self.sweep}"[:64]


def facets(store: Store, sweep: Sweep) -> Facets:
    """Arms and depths of a sweep's members, in order."""
    arms: set[str] = set()
    depths: set[int] = set()
    learned = False
    for pack_id in {m.pack_id for m in sweep.members.values()}:
        for run in read_pack(store, pack_id).runs:
            member = sweep.members.get(run.run_id)
            if member is not None:
                arms.add(member.arm)
                if run.size("depth") is not None:
                    depths.add(run.size("depth"))
                momentum = run.model.momentum
                learned |= momentum is not None and momentum.learn != "none"
    metric = sweep.law.get("metric", "val_loss")
    return Facets(
        sweep.name, metric, tuple(sorted(arms)), tuple(sorted(depths)), learned, len(sweep.members)
    )
