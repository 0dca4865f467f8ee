"""What of the code a run depends on has changed since a record was made, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.errors import UserError
from orchestrator.parts.own import user_parts
from orchestrator.parts.source import source_hash

if TYPE_CHECKING:
    from orchestrator.config import RunConfig
    from orchestrator.records.packs import Pack


def changed(before: dict[str, Any], run: RunConfig) -> list[str]:
    """["model 1 → 2", "my.parts (operator)"]: versions on record against those of a run as it is."""
    kinds: dict[str, list[str]] = {}
    for part in user_parts(run):
        kinds.setdefault(source_hash(part)[0], []).append(part.kind)
    out = []
    for name, version in run.versions.items():
        if before.get(name) == version:
            continue
        if name in kinds:
            out.append(f"{name} ({', '.join(kinds[name])})")
        else:
            out.append(f"{name} {before.get(name, 'none')} → {version}")
    return out + [f"{name} (no longer used)" for name in before if name not in run.versions]


def require_unedited(what: str, pack: Pack, member: int = 0) -> RunConfig:
    """A member of a pack with its parts imported, where these are what it was frozen with.

    Raises: UserError that begins with `what` where a user's part was edited since.
    """
    run = pack.trainable(member)
    sources = {name: v for name, v in run.versions.items() if isinstance(v, str)}
    if any(pack.versions.get(name) != v for name, v in sources.items()):
        changes = "; ".join(changed(pack.versions, run))
        raise UserError(f"{what}: edited since: {changes}; submit again to train it anew")
    return run
