"""From starts to the global optimum of one fit, through losses that sharpen step by step.

Guarantee: the result is the best of several independent descents, each through a sequence of
Huber thresholds from the size of the residuals down to the one asked for, and says how near to
stationary it is; a fit whose check fails is marked, never passed on silently.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np

from analysis.stats.lad import polish
from analysis.stats.losses import Loss
from analysis.stats.optimise import Minimum, Model, minimise, objective

STATIONARY = 1e-5  # the largest accepted |Σ g| / √Σ g²
RUN_OFF = 1e-8  # a coordinate whose unit step moves no ln f by more than this has run off
MANY_ROWS = 6000  # above this the starts race on a sample of this many rows
FINALISTS = 2
EXACT_ROWS = 4000  # above this LAD keeps its smooth optimum: the linear programme is too large


@dataclass(frozen=True)
class Optimum:
    """theta (p,), the objective there, the check's size and whether it passed.

    agreeing: how many of the starts ended within 1e-6 (relative) of the best objective (with many
    rows: of the finalists).
    """

    theta: np.ndarray
    value: float
    check: float
    stationary: bool
    starts: int
    agreeing: int


def search(model: Model, starts: np.ndarray, log_y: np.ndarray, loss: Loss) -> Optimum:
    """Descend from every start (S, p) and keep the best.

    With many rows the starts race on a sample first and the best FINALISTS go on with all rows.
    """
    weight = np.ones(log_y.size)
    entered = starts.shape[0]
    if log_y.size > MANY_ROWS and entered > FINALISTS:
        rows = np.random.default_rng(0).choice(log_y.size, MANY_ROWS, replace=False)
        race = descend(take(model, rows), starts, log_y[rows], weight[rows], loss)
        starts = race.theta[np.argsort(race.value)[:FINALISTS]]
    found = descend(model, starts, log_y, weight, loss, warm=log_y.size > MANY_ROWS)
    value = objective(model, found.theta, log_y, weight, loss)
    best = int(np.argmin(value))
    theta, check = found.theta[best], float(found.gradient[best])
    low = float(value[best])
    agreeing = int(np.sum(value <= low * (1 + 1e-6) + 1e-12))
    exact = low < (1e-10 if loss.kind == "lad" else 1e-18) * log_y.size
    if not check < STATIONARY:
        check = _check_of_the_rest(model, theta, log_y, weight, loss, check)
    passed = check < STATIONARY or exact
    if loss.kind == "lad" and log_y.size <= EXACT_ROWS:
        theta, low, check = polish(model, theta, log_y, weight)
        passed = check < 1e-7 or exact
    check = 0.0 if exact else check  # rounding errors have no direction
    return Optimum(theta, low, check, passed, entered, agreeing)


def _check_of_the_rest(model, theta, log_y, weight, loss, check) -> float:
    """The check without coordinates that have run off: a floor on its way to 0 has its optimum at
    -∞ in ln E, where no gradient vanishes relative to its own size."""
    moves = np.abs(model.derivatives(theta[None])[1][0]).max(axis=0)
    stays = moves > RUN_OFF
    if stays.all() or not stays.any():
        return check
    # one step along the others, so that their gradient is measured at the optimum of the rest
    basis = np.eye(theta.size)[:, stays][None]
    smooth = continuation(model, theta[None], log_y, loss, warm=True)[-1]
    return float(minimise(model, theta[None], log_y, weight, smooth, basis).gradient[0])


def take(model: Model, rows: np.ndarray) -> Model:
    """`model` on some of its rows (its arrays are indexed by row, as are those of a model in it)."""
    parts = {}
    for name in (f.name for f in fields(model)):
        part = getattr(model, name)
        if isinstance(part, np.ndarray):
            parts[name] = part[rows]
        elif is_dataclass(part):
            parts[name] = take(part, rows)
    return replace(model, **parts)


def descend(
    model: Model,
    theta: np.ndarray,
    log_y: np.ndarray,
    weight: np.ndarray,
    loss: Loss,
    basis: np.ndarray | None = None,
    warm: bool = False,
    iterations: int = 300,
) -> Minimum:
    """Minimise through `continuation`'s thresholds; warm skips the coarse ones."""
    result = None
    for step in continuation(model, theta, log_y, loss, warm):
        result = minimise(model, theta, log_y, weight, step, basis, iterations)
        theta = result.theta
    return result


def continuation(model: Model, theta: np.ndarray, log_y: np.ndarray, loss: Loss, warm: bool):
    """The losses to go through, from coarse to `loss` (for LAD to its smooth stand-in)."""
    if loss.kind == "l2":
        return [loss]
    with np.errstate(all="ignore"):
        size = np.nanmedian(np.abs(log_y - model.log_value(theta)), axis=1)
    typical = max(float(np.nanmin(np.where(np.isfinite(size), size, np.inf))), 1e-9)
    if not np.isfinite(typical):
        typical = 1.0
    # a vertex needs a sharp stand-in to be polished from; an interval does not
    last = loss.delta if loss.kind == "huber" else (0.03 if warm else 0.003) * typical
    start = typical if not warm else 0.3 * typical
    steps = []
    while start > 2.5 * last:
        steps.append(Loss("huber", start))
        start /= 4.0
    return [*steps, Loss("huber", last)]
