"""Words that Hydra would let pass without effect are refused in one line, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType

from orchestrator.coerce import plain
from orchestrator.config import LENGTHS, POINTS, RunConfig
from orchestrator.errors import UserError, near
from orchestrator.identity import flatten
from orchestrator.settings import Execution, Settings

FROZEN = ("compile", "native", "threads", "width", "pack")
"""Keys of `execution` that every pack freezes for itself, so that the runs of one submission may
differ in them."""
_HYDRA = ("hydra.sweeper", "hydra.searchpath", "hydra/sweeper", "hydra/launcher")
"""Hydra's own settings that do something here."""
_IN_PLACE = (
    ("budget", LENGTHS, ("steps",)),
    ("budget", POINTS, ("evals", "spacing")),
    ("optim", ("decay_steps",), ("decay_fraction",)),
    ("optim", ("warmup_tokens",), ("warmup",)),
    ("optim", ("independent_weight_decay",), ("weight_decay",)),
)
"""Of a group, the settings that stand in place of others."""
_PLACES = "results go to results/SWEEP, records to the store"


def require_effective(overrides: Sequence[Override]) -> None:
    """What the command line says, each key once. Raises: UserError."""
    seen: dict[str, Override] = {}
    for o in overrides:
        require_possible(o)
        key = _key(o)
        if key in seen:
            raise UserError(
                f"{key}: given twice ({seen[key].input_line} and {o.input_line}); for a sweep over "
                f"values write {key}=a,b"
            )
        seen[key] = o


def require_possible(o: Override) -> None:
    """One word, of the command line or of a grid. Raises: UserError."""
    name = o.key_or_group
    if o.type == OverrideType.DEL:
        raise UserError(
            f"{o.input_line}: nothing can be deleted; give the value wanted instead "
            f"({name}=null where that is allowed)"
        )
    if name == "hydra/launcher":
        require_ours(str(o.value()))
    elif name.startswith(("hydra.", "hydra/")) and not name.startswith(_HYDRA):
        raise UserError(f"{o.input_line}: has no effect here ({_PLACES})")


def require_option(o: Override, options: Sequence[str]) -> None:
    """A word of a group is a name, so that Hydra can look for it. options: the group's; none: the
    word is of no group. Raises: UserError."""
    if options and not o.is_sweep_override() and not isinstance(o.value(), (str, list, dict)):
        raise UserError(no_such_option(o.key_or_group, plain(o.value()), options))


def no_such_option(group: str, option: Any, options: Sequence[str]) -> str:
    """The line for an option that a group does not have."""
    allowed = f"options: {', '.join(options)}"
    return f"{group}={option}: no such option{near(str(option), options)}; {allowed}"


def require_ours(launcher: str) -> None:
    """Raises: UserError where another Hydra launcher than ours is chosen."""
    if launcher != "lab":
        raise UserError(
            f"hydra/launcher={launcher}: the orchestrator launches its packs itself; choose where "
            "by cluster=local or cluster=slurm"
        )


def require_one_setting(all_settings: Sequence[Settings]) -> None:
    """What holds for a whole submission is the same for all of its runs. Raises: UserError."""
    first, *others = all_settings
    for other in others:
        frozen = {k: getattr(first.execution, k) for k in FROZEN}
        if replace(other, execution=replace(other.execution, **frozen)) == first:
            continue
        mine, theirs = dict(flatten(asdict(first))), dict(flatten(asdict(other)))
        keys = [k for k in {**mine, **theirs} if mine.get(k) != theirs.get(k)]
        key = next(k for k in keys if k.removeprefix("execution.") not in FROZEN)
        raise UserError(
            f"{key}={plain(mine.get(key))} and {key}={plain(theirs.get(key))}: holds for a whole "
            "submission and makes no runs of its own; give one value (a list is written [a,b])"
        )


def require_uncontested(words: Sequence[str], tree: dict[str, Any]) -> None:
    """No word sets what another setting stands in place of. tree: the config. Raises: UserError."""
    for group, others, mine in _IN_PLACE:
        given = tree.get(group)
        given = given if isinstance(given, dict) else {}
        other = next((k for k in others if given.get(k) is not None), None)
        if other is None:
            continue
        name = f"{group}.{other}"
        for word in words:
            if word.lstrip("+").startswith(tuple(f"{group}.{k}=" for k in mine)):
                raise UserError(
                    f"{word}: has no effect beside {name}={plain(given[other])}, which stands in its "
                    f"place; give one of them ({name}=null takes the other back)"
                )


def is_a_group(key: str) -> str:
    """The line for a group that was given like a value."""
    return f"{key}: is a group of settings; choose an option of it by {key.replace('.', '/')}=..."


class Names:
    """The runs of a sweep as they come: each under one name and one choice of `execution`."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[tuple[str, int], Execution]] = {}

    def add(self, grid: Sequence[tuple[Sequence[str], RunConfig, Settings]]) -> None:
        """Runs of one grid: no two of its jobs, each a list of words, are one run.

        Raises: UserError that names the words which make no difference.
        """
        jobs: dict[str, Sequence[str]] = {}
        for job, run, _ in grid:
            if run.run_id in jobs:
                raise UserError(_same(jobs[run.run_id], job))
            jobs[run.run_id] = job
        self.check(grid)

    def check(self, batch: Sequence[tuple[Sequence[str], RunConfig, Settings]]) -> None:
        """Runs that may come again, as they are. Raises: UserError where names differ."""
        for job, run, settings in batch:
            name = (run.arm, run.seed)
            known = self.known.setdefault(run.run_id, (name, settings.execution))
            if known == (name, settings.execution):
                continue
            words = " ".join(job)
            if known[0] != name:
                raise UserError(
                    f"{words}: is one run under two names, arm {known[0][0]} seed {known[0][1]} and "
                    f"arm {name[0]} seed {name[1]}"
                )
            key = next(
                f.name for f in fields(Execution)
                if getattr(known[1], f.name) != getattr(settings.execution, f.name)
            )  # fmt: skip
            raise UserError(f"{words}: is one run with two values of execution.{key}")


def _same(job: Sequence[str], other: Sequence[str]) -> str:
    mine, theirs = ([w for w in a if w not in b] for a, b in ((job, other), (other, job)))
    if not mine and not theirs:
        return f"{' '.join(job)}: stands twice in one grid; give each value once"
    hint = ""
    if any(w.startswith("model.momentum.arm=") for w in mine):
        hint = " (an arm is a name and makes no run of its own)"
    elif any(w.startswith("seed=") for w in mine):
        hint = " (seed only sets seed_init and seed_data, which are given)"
    return f"{' '.join(mine)} and {' '.join(theirs)}: make the same run{hint}; give one of them"


def _key(o: Override) -> str:
    return o.get_key_element().lstrip("+")
