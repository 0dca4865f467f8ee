"""A pack, trained in one attempt after the other until it is done."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.records.attempts import Attempt, claim, end, results
from orchestrator.records.packs import Pack
from orchestrator.records.store import Store
from orchestrator.training.checkpoint import saved
from orchestrator.training.pack import PackTrainer, Stopped


def until_done(
    store: Store, pack: Pack, tries: list[Attempt], trainer: Callable[[Attempt], PackTrainer]
) -> None:
    """Append attempts to `tries`, each by a `trainer` of its own, until one completes."""
    while True:
        tries.append(claim(store, pack.pack_id, {"code_version": "test"}))
        try:
            trainer(tries[-1]).train(set(results(tries[:-1])), saved(tries[:-1]))
        except Stopped:
            end(tries[-1], "stopped")
        else:
            end(tries[-1], "completed")
            return
