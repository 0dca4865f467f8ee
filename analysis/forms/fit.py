"""One law on one data set: the global optimum, and for each parameter what the data say of it.

Guarantee: an estimate is called identified only if its profile reaches the threshold on both
sides (with --bootstrap, also the percentiles stay inside), a floor moreover only if its interval
excludes 0; what is not identified carries the reason in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from analysis.errors import InputError
from analysis.stats.bootstrap import bootstrap
from analysis.stats.losses import Loss, noise_scale
from analysis.stats.optimise import Model
from analysis.stats.profile import Profile, profiles
from analysis.stats.search import Optimum, search

LEAST_SPARE = 2  # rows beyond the number of parameters that an interval needs


@dataclass(frozen=True)
class Quantity:
    """One reported parameter of a law.

    kind: "floor" | "coefficient" | "exponent". direction·θ' is its profile coordinate in the
    model `coordinates(θ)` gives: (model', θ'); natural maps that coordinate to the reported
    value (monotone). gone(θ (B, p)) -> (B,) says where it has run off and means nothing.
    """

    name: str
    kind: str
    direction: np.ndarray
    natural: Callable[[np.ndarray], np.ndarray]
    coordinates: Callable[[np.ndarray], tuple[Model, np.ndarray]]
    value: Callable[[np.ndarray], np.ndarray]
    gone: Callable[[np.ndarray], np.ndarray]
    limit: float
    back: Callable[[np.ndarray], np.ndarray] = field(default=lambda theta: theta)


@dataclass(frozen=True)
class Problem:
    """A law with its data: ln f's model, ln y (n,), starts per loss, what is reported."""

    model: Model
    log_y: np.ndarray
    starts: Callable[[Loss], np.ndarray]
    quantities: tuple[Quantity, ...]
    unit: np.ndarray | None = None
    """(n,) 0..G-1: which rows are one unit (None: each its own)."""
    scaled: Callable[[Model], Model] = lambda model: model
    """Another model of ln f put on this problem's scale."""


@dataclass(frozen=True)
class Estimate:
    """What is known of one parameter; ends are None where the data do not bound it."""

    name: str
    kind: str
    value: float | None
    low: float | None
    high: float | None
    identified: bool
    reason: str
    profile: Profile | None
    profile_low: float | None
    profile_high: float | None
    samples: np.ndarray | None = None  # bootstrap replicates, natural unit; nan where gone


@dataclass(frozen=True)
class Fit:
    """An optimum with its estimates; residuals (n,) are ln y - ln f."""

    optimum: Optimum
    estimates: tuple[Estimate, ...]
    residuals: np.ndarray
    noise: float
    loss: Loss
    starts: np.ndarray


def fit(
    problem: Problem,
    loss: Loss,
    level: float = 0.95,
    replicates: int = 0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Fit a law and bound each of its parameters.

    replicates: case bootstraps (0: intervals by profile likelihood). Raises InputError where
    there are no more rows than parameters.
    """
    n, p = problem.log_y.size, problem.model.size
    if n <= p:
        raise InputError(f"{n} rows can't determine {p} parameters; at least {p + 1} are needed")
    starts = problem.starts(loss)
    bounds: dict[str, Profile] = {}
    for _ in range(4):
        optimum = search(problem.model, starts, problem.log_y, loss)
        better = None
        if n - p >= LEAST_SPARE:
            bounds, better = _profiles(problem, optimum.theta, loss, level)
        if better is None:
            break
        starts = np.concatenate([starts, better[None], optimum.theta[None]])
    residuals = problem.log_y - problem.model.log_value(optimum.theta[None])[0]
    samples = None
    if replicates:
        samples = bootstrap(
            problem.model, optimum.theta, starts, problem.log_y, loss, replicates, seed, progress,
            problem.unit,
        )  # fmt: skip
    estimates = tuple(
        _estimate(q, optimum.theta, bounds.get(q.name), samples, level, n - p)
        for q in problem.quantities
    )
    return Fit(optimum, estimates, residuals, noise_scale(loss, residuals, p), loss, starts)


def _profiles(problem, theta, loss, level):
    """Profiles by name, quantities of one model together; and a better θ where one was met."""
    groups: list[tuple[Model, np.ndarray, list[Quantity]]] = []
    for q in problem.quantities:
        if bool(q.gone(theta[None])[0]) and q.kind != "floor":
            continue
        model, local = q.coordinates(theta)
        if not np.isfinite(local).all():
            continue
        same = next((g for g in groups if g[0] is model), None)
        if same is not None:
            same[2].append(q)
        else:
            groups.append((model, local, [q]))
    found = {}
    for model, local, members in groups:
        done = profiles(
            model,
            local,
            problem.log_y,
            loss,
            [q.direction for q in members],
            [q.limit for q in members],
            level,
            problem.unit,
        )
        found |= {q.name: p for q, p in zip(members, done, strict=True)}
        if done[0].better is not None:
            return found, members[0].back(done[0].better)
    return found, None


def _estimate(q, theta, path, samples, level, spare) -> Estimate:
    value = float(q.value(theta[None])[0])
    gone = bool(q.gone(theta[None])[0])
    low = high = None
    if path is not None:
        low, high = (
            None if v is None else float(q.natural(np.array(v))) for v in (path.low, path.high)
        )
        if float(q.natural(np.array(1.0))) < float(q.natural(np.array(0.0))):
            low, high = high, low
    profile_low, profile_high = low, high
    natural = None
    if samples is not None:
        natural = np.where(q.gone(samples), np.nan, q.value(samples))
        low, high = percentiles(natural, level, q.kind)
    reasons = []
    if spare < LEAST_SPARE:
        low = high = None
        reasons.append(f"{spare} row more than parameters gives no honest interval")
    elif gone:
        what = {
            "floor": "the floor runs to 0",
            "coefficient": "its term vanishes",
            "exponent": "its term vanishes",
        }[q.kind]
        reasons.append(f"{what}: the data are described without it")
    else:
        # a bootstrap can look tight on a ridge that the profile shows to be unbounded
        open_low = low is None or (path is not None and profile_low is None)
        open_high = high is None or (path is not None and profile_high is None)
        if path is None:
            reasons.append("it has no finite value at the optimum")
        elif open_low and open_high:
            reasons.append("the data bound it on neither side (a ridge)")
        elif open_low:
            reasons.append("the floor may be 0 or below" if q.kind == "floor" else "no lower bound")
        elif open_high:
            reasons.append("no upper bound")
        elif q.kind == "floor" and low <= 0 <= high:
            reasons.append("not distinguishable from 0")
        if open_low and q.kind != "floor":
            low = None
        if open_high:
            high = None
        if open_low and q.kind == "floor":
            low = None
    shown = value if np.isfinite(value) and not (gone and q.kind != "floor") else None
    return Estimate(
        q.name,
        q.kind,
        shown,
        low if not gone else None,
        high if not gone or q.kind == "floor" else None,
        not reasons,
        "; ".join(reasons),
        path,
        profile_low,
        profile_high,
        natural,
    )


def percentiles(sample: np.ndarray, level: float, kind: str) -> tuple[float | None, float | None]:
    """Percentile interval; an end is None where replicates that have run off reach into it."""
    tail = (1 - level) / 2
    lost = float(np.mean(~np.isfinite(sample)))
    kept = sample[np.isfinite(sample)]
    if kept.size < 20:
        return None, None
    if kind == "floor":  # lost replicates are floors at 0: they sit below all others
        low = None if lost >= tail else float(np.quantile(kept, max((tail - lost) / (1 - lost), 0)))
        return low, float(np.quantile(kept, 1 - tail / max(1 - lost, 1e-9))) if lost < 1 else None
    if lost >= tail:
        return None, None
    low, high = np.quantile(kept, [tail, 1 - tail])
    return float(low), float(high)
