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

from analysis.estimators.newton import Model, objective
from analysis.estimators.objective import Loss, noise_scale
from analysis.estimators.search import descend, ladder


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


def profile(
    model: Model,
    theta: np.ndarray,
    log_y: np.ndarray,
    loss: Loss,
    direction: np.ndarray,
    reach: float,
    level: float = 0.95,
) -> Profile:
    """The profile of direction·θ around the optimum θ (p,).

    reach: how far from the estimate counts as "never": the interval's end is then None.
    """
    weight = np.ones(log_y.size)
    smooth = ladder(model, theta[None], log_y, loss, warm=True)[-1]
    centre = float(direction @ theta)
    # LAD is profiled through its smooth stand-in, whose own minimum is the reference
    theta = descend(model, theta[None], log_y, weight, smooth, warm=True).theta[0]
    base = float(objective(model, theta[None], log_y, weight, smooth)[0])
    log_f, jac, _ = model.derivatives(theta[None])
    noise = noise_scale(smooth, log_y - log_f[0], model.size)
    threshold = stats.t.ppf(0.5 + level / 2, max(log_y.size - model.size, 1)) ** 2
    error, tangent, unequal = _wald(jac[0], direction, smooth, noise, log_y - log_f[0])
    noise *= unequal
    basis = np.linalg.svd(direction[None])[2][1:].T
    sides = [_Side(sign, centre, theta.copy()) for sign in (-1.0, 1.0)]
    first = float(np.clip(np.sqrt(threshold) * error, 1e-9 * max(1, abs(centre)), 0.3 * reach))
    for side in sides:
        side.trial = centre + side.sign * first
    better = None
    for _ in range(30):
        live = [s for s in sides if not s.done]
        if not live:
            break
        begin = np.stack([s.theta + (s.trial - float(direction @ s.theta)) * tangent
                          for s in live])
        begin = np.concatenate([begin, np.stack([
            theta + (s.trial - float(direction @ theta)) * direction / (direction @ direction)
            for s in live])])
        found = descend(model, begin, log_y, weight, smooth,
                        np.broadcast_to(basis, (len(begin), *basis.shape)), warm=True,
                        iterations=60)
        value = found.value.reshape(2, -1)
        pick = np.argmin(value, axis=0) * len(live) + np.arange(len(live))
        for side, at in zip(live, pick, strict=True):
            rise = 2 * (found.value[at] - base) / noise
            if rise < -1e-3 * threshold and found.value[at] < base * (1 - 1e-7):
                better = found.theta[at]
            side.record(found.theta[at], rise, threshold, reach)
        if better is not None:
            break
    rows = [(centre, 0.0)] + [row for s in sides for row in s.rows if np.isfinite(row[1])]
    low, high = (s.end for s in sides)
    return Profile(low, high, np.array(sorted(rows)), float(threshold), better)


def _wald(jac, direction, loss, noise, residual):
    """Standard error of direction·θ, the tangent along which the others follow, and how much
    wider than under equal scatter its variance is (at least 1).

    The last is the sandwich variance over the pooled one (White 1980; for Huber and LAD the bread
    is Powell's kernel estimate), so that rows of unequal scatter don't give a short interval.
    """
    gram = jac.T @ jac
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    inverse = np.linalg.pinv(gram / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    inverse /= np.outer(scale, scale)
    along = inverse @ direction
    size = float(direction @ along)
    if not size > 0:
        return np.sqrt(noise), direction / (direction @ direction), 1.0
    curvature = loss.curvature(residual)
    if curvature.mean() < 0.5:
        near = np.abs(residual) < np.quantile(np.abs(residual), 0.5)
        curvature = near / near.mean() * max(float(curvature.mean()), 0.02)
    curved = float(curvature.mean())
    pooled = size * noise / curved
    bread = np.linalg.pinv((jac.T * curvature) @ jac / np.outer(scale, scale), rcond=1e-12,
                           hermitian=True) / np.outer(scale, scale)
    pull = jac @ (bread @ direction) * loss.psi(residual)
    n, p = jac.shape
    sandwich = float(pull @ pull) * n / max(n - p, 1)
    return np.sqrt(pooled), along / size, float(np.clip(sandwich / pooled, 1.0, 25.0))


class _Side:
    """One end's search: expand until the threshold is crossed, then close in on sqrt(rise)."""

    def __init__(self, sign: float, centre: float, theta: np.ndarray) -> None:
        self.sign, self.centre, self.theta = sign, centre, theta
        self.inside, self.outside = (0.0, 0.0), None  # (distance, sqrt(rise / threshold))
        self.trial, self.rows, self.done, self.end = centre, [], False, None

    def record(self, theta: np.ndarray, rise: float, threshold: float, reach: float) -> None:
        distance = abs(self.trial - self.centre)
        height = float(np.sqrt(max(rise, 0.0) / threshold)) if np.isfinite(rise) else 1e6
        self.rows.append((self.trial, rise))
        if height < 1:
            self.inside, self.theta = (distance, height), theta
        else:
            self.outside = (distance, height)
        if self.outside is None:
            if distance >= reach:
                self.done = True
                return
            grow = np.clip(1.1 / max(height, 1e-9), 1.3, 4.0)
            distance = min(distance * grow, reach)
        else:
            (a, low), (b, high) = self.inside, self.outside
            if b - a < 2e-4 * b or abs(height - 1) < 2e-4:
                self.done = True
                self.end = self.centre + self.sign * (a + (1 - low) / (high - low) * (b - a))
                return
            share = np.clip((1 - low) / (high - low), 0.08, 0.92) if high < 50 else 0.3
            distance = a + share * (b - a)
        self.trial = self.centre + self.sign * distance
