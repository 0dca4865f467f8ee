"""Profile likelihood: how far one quantity can move before the data object.

Guarantee: an interval's end is a point where the re-optimised objective has risen by exactly the
calibrated threshold; where it never rises that far the end is None (a ridge, a floor running to
0), however small the curvature at the optimum makes a Wald interval look. A better optimum met
on the way is handed back, so that the caller starts again from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats import clusters
from analysis.stats.losses import Loss, noise_scale
from analysis.stats.optimise import Model, objective
from analysis.stats.search import MANY_ROWS, continuation, descend


@dataclass(frozen=True)
class Profile:
    """Interval ends of g·θ (None: never reached) and the path the profile took.

    path: (k, 2) array of (g·θ, 2 ΔS / noise scale), ascending in its first column; threshold is
    the value of the second column at the interval's ends. better: a θ with a lower objective.
    """

    low: float | None
    high: float | None
    path: np.ndarray
    threshold: float
    better: np.ndarray | None = None


def profiles(
    model: Model,
    theta: np.ndarray,
    log_y: np.ndarray,
    loss: Loss,
    directions: list[np.ndarray],
    limits: list[float],
    level: float = 0.95,
    unit: np.ndarray | None = None,
) -> list[Profile]:
    """The profile of each direction·θ around the optimum θ (p,), all computed side by side.

    unit (n,): 0..G-1, rows of one unit may depend on each other; None: all are independent.

    limits: how far from the estimate counts as "never": the interval's end is then None.
    """
    weight = np.ones(log_y.size)
    smooth = continuation(model, theta[None], log_y, loss, warm=True)[-1]
    centres = [float(direction @ theta) for direction in directions]
    # LAD is profiled through its smooth stand-in, whose own minimum is the reference
    theta = descend(model, theta[None], log_y, weight, smooth, warm=True).theta[0]
    base = float(objective(model, theta[None], log_y, weight, smooth)[0])
    log_f, jac, _ = model.derivatives(theta[None])
    residual = log_y - log_f[0]
    noise = noise_scale(smooth, residual, model.size)
    pairs, bars = [], []
    for direction, centre, limit in zip(directions, centres, limits, strict=True):
        error, tangent, unequal, df = _wald(jac[0], direction, smooth, noise, residual, unit)
        threshold = float(stats.t.ppf(0.5 + level / 2, df) ** 2)
        bars.append(threshold)
        first = np.clip(np.sqrt(threshold) * error, 1e-9 * max(1, abs(centre)), 0.3 * limit)
        pairs.append(
            [
                _Side(
                    sign,
                    centre,
                    float(first),
                    theta,
                    direction,
                    tangent,
                    noise * unequal,
                    limit,
                    threshold,
                )
                for sign in (-1.0, 1.0)
            ]
        )
    better = _close_in(
        [side for pair in pairs for side in pair],
        model,
        theta,
        base,
        log_y,
        weight,
        smooth,
    )
    found = []
    for (left, right), centre, threshold in zip(pairs, centres, bars, strict=True):
        rows = [(centre, 0.0)] + [r for s in (left, right) for r in s.rows if np.isfinite(r[1])]
        found.append(Profile(left.end, right.end, np.array(sorted(rows)), threshold, better))
    return found


def _close_in(sides, model, theta, base, log_y, weight, smooth) -> np.ndarray | None:
    """Advance every side until it is done; a θ better than the optimum stops all and is returned."""
    for _ in range(30):
        live = [s for s in sides if not s.done]
        if not live:
            return None
        begin = [s.follow() for s in live]
        if log_y.size <= MANY_ROWS:  # a second way in; with many rows the first is straight enough
            begin += [s.straight(theta) for s in live]
        ways = len(begin) // len(live)
        basis = np.stack([s.basis for s in live] * ways)
        found = descend(
            model, np.stack(begin), log_y, weight, smooth, basis, warm=True, iterations=60
        )
        value = found.value.reshape(ways, -1)
        pick = np.argmin(value, axis=0) * len(live) + np.arange(len(live))
        better = None
        for side, at in zip(live, pick, strict=True):
            rise = 2 * (found.value[at] - base) / side.noise
            if rise < -1e-3 * side.threshold and found.value[at] < base * (1 - 1e-7):
                better = found.theta[at]
            side.record(found.theta[at], rise)
        if better is not None:
            return better
    return None


def _wald(jac, direction, loss, noise, residual, unit):
    """Standard error of direction·θ, the tangent along which the others follow, how much wider than
    under equal scatter its variance is (at least 1), and its degrees of freedom.

    The third is the sandwich variance over the pooled one (White 1980; for Huber and LAD the bread
    is Powell's kernel estimate), so that rows of unequal scatter don't give a short interval.
    """
    spare = max(jac.shape[0] - jac.shape[1], 1)
    gram = jac.T @ jac
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    inverse = np.linalg.pinv(gram / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    inverse /= np.outer(scale, scale)
    along = inverse @ direction
    size = float(direction @ along)
    if not size > 0:
        return np.sqrt(noise), direction / (direction @ direction), 1.0, spare
    curvature = loss.curvature(residual)
    if curvature.mean() < 0.5:
        near = np.abs(residual) < np.quantile(np.abs(residual), 0.5)
        curvature = near / near.mean() * max(float(curvature.mean()), 0.02)
    curved = float(curvature.mean())
    pooled = size * noise / curved
    bread = np.linalg.pinv(
        (jac.T * curvature) @ jac / np.outer(scale, scale), rcond=1e-12, hermitian=True
    ) / np.outer(scale, scale)
    row = bread @ direction
    if unit is not None:
        shared, df = clusters.variance(jac, row, loss.psi(residual), unit)
        return np.sqrt(pooled), along / size, max(shared / pooled, 1.0), df
    pull = jac @ row * loss.psi(residual)
    sandwich = float(pull @ pull) * jac.shape[0] / spare
    return np.sqrt(pooled), along / size, float(np.clip(sandwich / pooled, 1.0, 25.0)), spare


class _Side:
    """One end's search: expand until the threshold is crossed, then close in on sqrt(rise)."""

    def __init__(self, sign, centre, first, theta, direction, tangent, noise, limit, threshold):
        self.sign, self.centre, self.theta, self.limit = sign, centre, theta.copy(), limit
        self.threshold = threshold
        self.direction, self.tangent, self.noise = direction, tangent, noise
        self.basis = np.linalg.svd(direction[None])[2][1:].T
        self.inside, self.outside = (0.0, 0.0), None  # (distance, sqrt(rise / threshold))
        self.rows, self.done, self.end = [], False, None
        self.trial = centre + sign * first

    def follow(self) -> np.ndarray:
        """The next start: the last point inside, moved along the tangent to the trial value."""
        return self.theta + (self.trial - float(self.direction @ self.theta)) * self.tangent

    def straight(self, theta: np.ndarray) -> np.ndarray:
        """Another start: the optimum, moved straight to the trial value."""
        size = float(self.direction @ self.direction)
        return theta + (self.trial - float(self.direction @ theta)) * self.direction / size

    def record(self, theta: np.ndarray, rise: float) -> None:
        distance = abs(self.trial - self.centre)
        height = float(np.sqrt(max(rise, 0.0) / self.threshold)) if np.isfinite(rise) else 1e6
        self.rows.append((self.trial, rise))
        if height < 1:
            self.inside, self.theta = (distance, height), theta
        else:
            self.outside = (distance, height)
        if self.outside is None:
            if distance >= self.limit:
                self.done = True
                return
            grow = np.clip(1.1 / max(height, 1e-9), 1.3, 4.0)
            distance = min(distance * grow, self.limit)
        else:
            (a, low), (b, high) = self.inside, self.outside
            if b - a < 2e-4 * b or abs(height - 1) < 2e-4:
                self.done = True
                self.end = self.centre + self.sign * (a + (1 - low) / (high - low) * (b - a))
                return
            share = np.clip((1 - low) / (high - low), 0.08, 0.92) if high < 50 else 0.3
            distance = a + share * (b - a)
        self.trial = self.centre + self.sign * distance
