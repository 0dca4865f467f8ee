"""A sweep's primary analysis: typed before it runs, frozen by the first submission.

What `analysis fit` honours is declared here once for planning (tests/launch/test_law.py holds it
to what analysis reads). The first submission's law is the frozen one. A later one counts only
where `--new-law` recorded it, and then every result of the sweep is exploratory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from orchestrator.coerce import plain, require
from orchestrator.errors import UserError, near

METRICS = ("val_loss", "mean_loss", "accuracy", "steps_to_solve")
"""Columns that a law can be of; the measures of a run's own are some more."""


@dataclass(frozen=True)
class Law:
    """The primary analysis, chosen before the sweep runs (`sweep.law`)."""

    name: Literal["gamma_star"] = "gamma_star"
    """The law: gamma_star is γ*(N) = a N^-b, the best γ at each depth N and the law through them."""
    metric: str = "val_loss"
    """Column that is best at γ*: val_loss, mean_loss (nats a token), accuracy, steps_to_solve, or
    a measure of one's own. An optimising sweeper gets its value back."""
    form: Literal["two_sided", "quadratic", "cubic"] = "two_sided"
    """Curve over ln γ that is fitted at each depth."""
    window: float | None = None
    """Half-width, in ln γ, of the part of each curve around its minimum that is fitted; null: all."""
    tuning_seeds: list[int] | None = None
    """Seeds that only choose the learning rate, and count in no law; null: found by the analysis."""

    def __post_init__(self) -> None:
        key = "sweep.law"
        require(
            self.window is None or 0 < self.window < math.inf, f"{key}.window", self.window,
            "must be above 0 (in ln γ), or null",
        )  # fmt: skip
        require(
            all(0 <= s < 2**31 for s in self.tuning_seeds or []), f"{key}.tuning_seeds",
            self.tuning_seeds, "must be seeds, integers in 0..2^31-1",
        )  # fmt: skip


def require_metrics(names: Iterable[str], key: str, known: Iterable[str]) -> None:
    """Raises: UserError for a name under `key` that is none of the `known` columns."""
    known = list(known)
    for name in names:
        if name not in known:
            raise UserError(
                f"{key}={name}: must be one of {', '.join(known)}{near(str(name), known)}"
            )


def settle(history: list[dict[str, Any]], law: Law, new_law: bool) -> bool:
    """Whether a submission with `law` changes the law of a sweep with this `history`.

    Raises: UserError that says what changed, unless it is meant (`new_law`).
    """
    if not history:
        return False
    if history[-1] == LOST:
        if not new_law:
            raise UserError(
                "sweep.law: what the first submission froze is lost with its record; go on with "
                "--new-law, which marks every result of this sweep as exploratory"
            )
        return True
    changes = differences(history[-1]["law"], asdict(law))
    if not changes:
        return False
    if not new_law:
        raise UserError(
            f"{', '.join(changes)}: the law was frozen by the first submission; take the change "
            "back, or go on with --new-law, which marks every result of this sweep as exploratory"
        )
    return True


def differences(frozen: dict[str, Any], law: dict[str, Any]) -> list[str]:
    """ "sweep.law.metric=accuracy (frozen: val_loss)" and so on; keys left out are at their
    default."""
    defaults = asdict(Law())
    before, now = {**defaults, **frozen}, {**defaults, **law}
    return [
        f"sweep.law.{k}={plain(now.get(k))} (frozen: {plain(before.get(k))})"
        for k in {**before, **now}
        if before.get(k) != now.get(k)
    ]


LOST: dict[str, Any] = {
    "law": {}, "number": 0, "runs": 0, "submission": "lost", "time": None, "finished": None,
}  # fmt: skip
"""Stands first in the history of a sweep whose first law is not on record any more."""


def history_of(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The laws of a sweep's submissions, in order: the first one's, then each that `--new-law`
    recorded, with the submission's number (from 1), time and what of the sweep was finished.

    `records`: its manifests, and packs that were made for it. Each has the history so far, `laws`,
    so that any other may be lost; a manifest of an earlier version says its own law alone.
    """
    found: dict[Any, dict[str, Any]] = {}
    for number, data in sorted(enumerate(records, 1), key=lambda pair: "laws" not in pair[1]):
        entries = data.get("laws")
        if entries is None:
            entries = [entry(data, number)] if data.get("new_law") or not found else []
            if data.get("new_law") and not found:  # a first submission replaces no law
                entries.insert(0, LOST)
        for e in entries:
            found.setdefault(e["submission"] or number, e)
    return sorted(found.values(), key=lambda e: e["number"])


def entry(manifest: dict[str, Any], number: int) -> dict[str, Any]:
    """What a history says of the law of a manifest, the sweep's number `number`."""
    known = {k: manifest.get(k) for k in ("submission", "time", "finished")}
    return {"law": manifest["law"], "number": number, "runs": len(manifest["runs"]), **known}


def status_of(history: list[dict[str, Any]]) -> Literal["frozen", "exploratory"]:
    """frozen: one law, chosen while runs were still to train. Anything else is exploratory."""
    if len(history) != 1 or history == [LOST]:
        return "exploratory"
    finished = history[0]["finished"]
    return "exploratory" if finished is not None and finished >= history[0]["runs"] else "frozen"
