"""`task._target_=my.Task` stands for `task=own task._target_=my.Task`: a part of one's own starts
from its own defaults, not from the fields of the group option that happened to be chosen.

What the user sets stays, on the command line, in a sweep's params or in its file; fields that the
class alone knows need no `+`. The same for model and optim.
"""

from __future__ import annotations

from collections.abc import Iterable

from hydra.core.override_parser.types import Override, OverrideType

from orchestrator.config import OUR_MODEL
from orchestrator.errors import UserError

SECTIONS = ("task", "model", "optim")
"""Groups whose option names a part by _target_, each with an option `own` that is empty."""
_SET = (OverrideType.CHANGE, OverrideType.ADD, OverrideType.FORCE_ADD)


def retargeted(overrides: list[Override], by_file: Iterable[str] = ()) -> list[str]:
    """Overrides as words, those of a section whose target is set rewritten for its option `own`.

    `by_file`: sections whose target the sweep's file sets.
    Raises: UserError for a group inside such a section, which only ours has.
    """
    named = {o.key_or_group: o for o in overrides if o.type in _SET}
    own = [s for s in SECTIONS if s in by_file or _sets_target(named.get(f"{s}._target_"))]
    words = [f"{section}=own" for section in own]
    for o in overrides:
        section, dot, _ = o.key_or_group.partition(".")
        if o.key_or_group.partition("/")[0] in own and "/" in o.key_or_group:
            part = o.key_or_group.partition("/")[0]
            raise UserError(
                f"{o.input_line}: {part}._target_ names a part of your own, which has no such group"
            )
        if section not in own or (not dot and o.key_or_group != section):
            words.append(o.input_line)
        elif dot and o.type in _SET:
            words.append(f"++{o.input_line.lstrip('+')}")
        elif dot:
            words.append(o.input_line)
    return words


def _sets_target(override: Override | None) -> bool:
    if override is None or override.is_sweep_override():
        return override is not None
    return override.value() not in (None, OUR_MODEL)
