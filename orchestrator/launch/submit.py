"""Submitting: freeze the plan, append a manifest, launch what is missing."""

from __future__ import annotations

import sys
import uuid
from dataclasses import asdict, dataclass

from orchestrator.errors import UserError
from orchestrator.launch.finish import Finish, Left
from orchestrator.launch.launcher import launcher
from orchestrator.launch.plan import Plan
from orchestrator.launch.policy import note
from orchestrator.launch.state import DONE
from orchestrator.launch.stop import stop_hung
from orchestrator.records.attempts import attempts
from orchestrator.records.manifests import new_manifest, write_manifest
from orchestrator.records.packs import close, freeze
from orchestrator.records.provenance import code_version, git_commit, package_versions
from orchestrator.records.store import Store, require_writable
from orchestrator.tracking.limits import require_few


@dataclass(frozen=True)
class Submitted:
    """What became of a submission when it returned."""

    plan: Plan
    left: list[Left]
    """Packs that are not done, where the submission waited for them."""


def submit(store: Store, plan: Plan, overrides: list[str], new_law: bool = False) -> Submitted:
    """Freeze and launch a plan. On this machine, or with cluster.wait, it stays until all is done.

    `new_law`: the sweep's frozen law is replaced (`orchestrator.law.settle`).
    Raises: UserError where the store can't be written, jobs would be refused, or there are too many
    runs to track.
    """
    if plan.settings.tracking.name == "wandb":
        require_few(plan.settings.tracking.granularity, len(plan.runs))
    place = launcher(plan.settings)
    if plan.launch:
        place.require()
    require_writable(store)
    about = {
        "submission": uuid.uuid4().hex,
        "overrides": overrides,
        "git_commit": git_commit(),
        "code_version": code_version(),
        "packages": package_versions(),
        "tracking": vars(plan.settings.tracking),
        "settings": asdict(plan.settings),
        "new_law": new_law,
        "finished": sum(n for state, n in plan.counts.items() if state in DONE),
    }
    law = asdict(plan.settings.sweep.law)
    try:
        manifest = new_manifest(store, plan.sweep, plan.members, law, about)
        for pack in plan.launch:
            freeze(store, pack, plan.sweep, manifest["laws"])
        write_manifest(store, plan.sweep, manifest)
        for pack_id, successors in plan.closes.items():
            close(store, pack_id, successors)
    except OSError as e:  # a full disk, a quota
        raise UserError(
            f"{e.filename or store.root}: {e.strerror}; nothing was submitted, submit again once that is "
            "mended"
        ) from e
    if plan.closes:
        new = {pack_id for successors in plan.closes.values() for pack_id in successors}
        print(f"{len(plan.closes)} packs are closed, {len(new)} new ones take over",
              file=sys.stderr)  # fmt: skip
    for pack in plan.launch:  # what has failed before is on record, with its cause
        tries = attempts(store, pack.pack_id)
        if tries:
            note(store, pack.pack_id, tries[-1])
            stop_hung(tries[-1])
    if place.waits:
        left = Finish(store, plan, place)()
        show_left(left, len(plan.runs))
        return Submitted(plan, left)
    if plan.launch:
        place.launch(store, plan.sweep, plan.launch)
    return Submitted(plan, [])


def show_left(left: list[Left], runs: int) -> None:
    """Say which runs are not done, and why."""
    if left:
        print(f"{sum(x.runs for x in left)} of {runs} runs are not done:", file=sys.stderr)
    for x in left:
        print(f"pack {x.pack_id}: {x.runs} runs: {x.why}", file=sys.stderr)
