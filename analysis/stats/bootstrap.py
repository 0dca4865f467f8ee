"""Case bootstrap: rows drawn with replacement, every replicate refitted from several starts.

Guarantee: the replicates depend on the seed alone, and a sample of them is searched from all the
starts; if that finds lower objectives, all of them are, so no interval rests on local optima.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from analysis.stats.losses import Loss
from analysis.stats.optimise import Model
from analysis.stats.search import continuation, descend

AUDITED = 32


def bootstrap(
    model: Model,
    theta: np.ndarray,
    starts: np.ndarray,
    log_y: np.ndarray,
    loss: Loss,
    replicates: int,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    unit: np.ndarray | None = None,
) -> np.ndarray:
    """θ of each replicate, (replicates, p). unit (n,) 0..G-1: units are drawn, not rows. progress(done, all) is called after each chunk."""
    random = np.random.default_rng(seed)
    n = log_y.size
    chunk = int(np.clip(600_000 // (n * model.size), 8, 200))
    result = np.empty((replicates, model.size))
    if loss.kind == "lad":  # the same smooth stand-in for every replicate, so values compare
        loss = continuation(model, theta[None], log_y, loss, warm=True)[-1]
    everywhere = False
    edges = [0, *range(min(AUDITED, replicates), replicates, chunk), replicates]
    for begin, end in pairwise(edges):
        count = end - begin
        drawn = n if unit is None else int(unit.max()) + 1
        weight = random.multinomial(drawn, np.full(drawn, 1 / drawn), size=count).astype(float)
        weight = weight if unit is None else weight[:, unit]
        fitted = descend(model, np.repeat(theta[None], count, 0), log_y, weight, loss, warm=True)
        best, value = fitted.theta, fitted.value
        if begin == 0 or everywhere:
            for start in starts:
                other = descend(model, np.repeat(start[None], count, 0), log_y, weight, loss)
                wins = other.value < value * (1 - 1e-6)
                everywhere = everywhere or bool(wins.any())
                best = np.where(wins[:, None], other.theta, best)
                value = np.where(wins, other.value, value)
        result[begin:end] = best
        if progress is not None:
            progress(end, replicates)
    return result
