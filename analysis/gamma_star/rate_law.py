"""How much of gamma*'s fall with depth is the learning rate's: b in total, at each depth's best rate,
and b at a fixed rate, with the elasticity e of gamma* in the rate that joins them.

ln gamma* = alpha - b_fixed ln N + e ln lr, and the best rate falls as ln lr_best(N), so that b in
total is b_fixed + e x (the best rate's own exponent). e and the best rates come from the tuning rows
(`rate_surface`), gamma* itself from the reported ones; a reported rate that isn't the best one (the
grid has steps) is carried along e to it, and what that costs in precision is in the interval.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.gamma_star.depth_law import Points, power_design
from analysis.gamma_star.rate_surface import Surface
from analysis.stats.censored_line import Estimates, interval, regress

LEAST_DEPTHS = 3
NEAR = 2  # rates to either side of the least that its parabola is fitted to
PAST = 1.0  # grid steps past the tuned rates at which a best rate may still be said to lie
# "Explained": b at a fixed rate holds 0 and its interval stays within MOST of b in total (it is known,
# not merely unknown), or the interval stays within SLIGHT of it: then the rate accounts for the fall.
MOST, SLIGHT = 0.5, 0.25
# A curve whose form is not quite the data's puts optima off by more the lower they lie: simulated, by
# .0075 of ln gamma*'s own range (docs/notebook.md, "the rate beside depth"). One SD, in b's intervals.
TILT = 0.015


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        """0.72 [0.66, 0.78]."""
        return f"{self.estimate:.2g} [{self.low:.2g}, {self.high:.2g}]"

    @property
    def ends(self) -> tuple[float, float, float]:
        """Estimate, low, high."""
        return self.estimate, self.low, self.high

    def holds(self, value: float) -> bool:
        """Whether the interval holds a value."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class AtRate:
    """One (depth, width): the rate of its optimum, the best one at gamma* (None: not tuned there, or far past
    the tuned ones) with the SD of its logarithm and whether it lies past the tuned rates at all, and
    by what ln gamma* moves from the reported rate to it."""

    depth: int
    width: int
    lr: float
    best: float | None
    best_log_sd: float | None
    past: bool
    shift: float


@dataclass(frozen=True)
class RateLaw:
    """What the table says of gamma* and the rate. elasticity: d ln gamma* / d ln lr; fall: -d ln
    lr_best / d ln N; b_total at the best rates, b_fixed at one rate for all depths (each None where
    the table can't tell); explained: None where it can't be asked. points: ln gamma* at the best
    rates, None where they aren't known at every depth."""

    elasticity: Estimate | None
    fall: Estimate | None
    b_total: Estimate | None
    b_fixed: Estimate | None
    explained: bool | None
    depths: list[AtRate]
    finding: str
    points: Points | None = None

    def to_json(self) -> dict[str, Any]:
        """Its entry in laws.json."""
        out = asdict(replace(self, points=None))
        del out["points"]
        return out

    @property
    def at_optimum(self) -> dict[tuple[int, int], tuple[float, bool]] | None:
        """What `learning_rate.rates_check` asks; None where a depth's best rate isn't known."""
        if self.points is None:
            return None
        return {(d.depth, d.width): (float(np.exp(abs(np.log(d.best / d.lr)))), d.past)
                for d in self.depths}  # fmt: skip


def rate_law(points: Points, rates: pd.DataFrame, surfaces: list[Surface]) -> RateLaw:
    """points: the reported optima; rates: `learning_rate.choose`'s table; surfaces: of the depths
    that were tuned."""
    points, log_lr = at_one_rate(points, rates, surfaces)
    if not np.isfinite(log_lr).all():
        return untold(points, log_lr, "the learning rates are not known")
    one_rate = np.ptp(log_lr) < 1e-9
    if len(surfaces) < LEAST_DEPTHS:
        if one_rate:
            b = slope(points)
            return RateLaw(None, None, None, b, None, at_rates(points, log_lr, {}, None),
                           "one rate for all depths: b is b at that rate")  # fmt: skip
        few = f"rates and gammas enough for it were tuned at {len(surfaces)} depths"
        return untold(points, log_lr, few)
    ones = np.ones((len(surfaces), 1))
    each = Estimates(np.array([s.elasticity for s in surfaces]),
                     np.array([s.elasticity_se for s in surfaces]),
                     *np.full((2, len(surfaces)), np.nan))  # fmt: skip
    mean = regress(each, ones)
    e, e_sd, df = float(mean.coefficients[0]), float(np.sqrt(mean.covariance[0, 0])), mean.df
    best = best_rates(surfaces)
    depths = at_rates(points, log_lr, best, e)
    seen = slope(points)
    tilt = TILT * (abs(seen.estimate) if seen else 0.0)
    b_fixed = carried(
        points, -e * (log_lr - log_lr.mean()), 0.0, log_lr.mean() - log_lr, e_sd, df, tilt
    )
    elasticity = Estimate(*interval(each, ones, 0))
    known = np.array([d.best is not None for d in depths])
    b_total = fall = moved = None
    if known.all():
        gap = np.array([np.log(d.best / d.lr) for d in depths])
        sd = np.array([abs(e) * d.best_log_sd for d in depths])
        moved = shifted(points, e * gap, np.hypot(sd, e_sd * gap))
        b_total = carried(points, e * gap, sd, gap, e_sd, df, tilt)
        rate = np.array([np.log(d.best) for d in depths])
        told = Points(rate, np.array([d.best_log_sd for d in depths]),
                      *np.full((2, len(rate)), np.nan), points.depth, points.width)  # fmt: skip
        fall = slope(told)
        moved = moved if b_total is not None else None
    explained = None
    if b_total is not None and b_fixed is not None:
        left = max(-b_fixed.low, b_fixed.high) / max(abs(b_total.estimate), 1e-9)
        explained = not b_total.holds(0) and left < (MOST if b_fixed.holds(0) else SLIGHT)
    return RateLaw(elasticity, fall, b_total, b_fixed, explained, depths,
                   sentence(elasticity, fall, b_total, b_fixed, explained), moved)  # fmt: skip


def sentence(e, fall, total, fixed, explained) -> str:
    """The finding."""
    if fixed is None:
        return "b is not bounded, neither at the best rates nor at a fixed one"
    if total is None:
        return (f"at a fixed rate b = {fixed}; the best rate isn't known at every depth, so that b in "
                f"total can't be told")  # fmt: skip
    both = f"b = {total} at the best rates, {fixed} at a fixed rate"
    how = f"gamma* goes as lr^{e}, the best rate as N^-({fall})"
    if explained:
        return f"explained by the learning rate: {both}; {how}"
    if total.holds(0):
        return f"{both}; {how}"
    if not fixed.holds(0):
        if e.holds(0) or fixed.holds(total.estimate):
            return f"not explained by the learning rate: {both}; {how}"
        return f"partly explained by the learning rate: {both}; {how}"
    return f"whether the learning rate explains it can't be told: {both}; {how}"


def untold(points: Points, log_lr: np.ndarray, why: str) -> RateLaw:
    """Where the rows can't tell gamma*'s depth from its rate."""
    return RateLaw(None, None, None, None, None, at_rates(points, log_lr, {}, None),
                   f"b at a fixed rate can't be told: {why}")  # fmt: skip


def at_one_rate(
    points: Points, rates: pd.DataFrame, surfaces: list[Surface]
) -> tuple[Points, np.ndarray]:
    """Each depth's optimum and the ln lr (K,) that it belongs to, NaN where the rate isn't known.

    Where every reported gamma ran at one rate that is the curve's own optimum. Where the rate follows
    gamma the curve runs along the valley of the surface, and its minimum is no optimum at a rate:
    the surface's own is taken.
    """
    by_place = {(s.depth, s.width): s for s in surfaces}
    value, se, low, high = (a.copy() for a in (points.value, points.se, points.low, points.high))
    log_lr = np.full(len(value), np.nan)
    for i, (depth, width) in enumerate(zip(points.depth, points.width, strict=True)):
        mine = rates[(rates["depth"] == depth) & (rates["width"] == width)].dropna(subset="lr")
        above = mine[mine["gamma"] > 0]
        mine = above if len(above) else mine
        if mine.empty:
            continue
        surface = by_place.get((int(depth), int(width)))
        if mine["lr"].nunique() > 1 and surface is not None and surface.log_gamma is not None:
            value[i], se[i], log_lr[i] = surface.log_gamma, surface.log_gamma_se, surface.centre
            low[i], high[i] = -np.inf, np.inf
            continue
        at = value[i] if np.isfinite(value[i]) else points.bound[i]
        away = np.abs(np.log(mine["gamma"].to_numpy(float)) - at) if len(above) else np.zeros(1)
        log_lr[i] = np.log(float(mine["lr"].iloc[int(np.argmin(away))]))
    return replace(points, value=value, se=se, low=low, high=high), log_lr


def at_rates(points: Points, log_lr: np.ndarray, best: dict, e: float | None) -> list[AtRate]:
    """Each depth's rates."""
    out = []
    for depth, width, at in zip(points.depth, points.width, log_lr, strict=True):
        key = int(depth), int(width)
        wanted, sd, past = best.get(key, (None, None, True))
        shift = 0.0 if wanted is None or e is None else e * (wanted - at)
        out.append(AtRate(*key, float(np.exp(at)), None if wanted is None else float(np.exp(wanted)),
                          sd, past, float(shift)))  # fmt: skip
    return out


def best_rates(surfaces: list[Surface]) -> dict[tuple[int, int], tuple[float, float, bool]]:
    """ln of the best rate, its SD and whether it lies past the tuned ones by (depth, width): the vertex of a parabola in ln lr through
    each depth's least losses, with one curvature for all depths. Depths whose vertex lies past the
    tuned rates by more than PAST grid steps are left out; all are, where no parabola has a minimum.
    """
    rows, target, weight, owner = [], [], [], []
    for k, s in enumerate(surfaces):
        near = np.abs(np.arange(len(s.log_lr)) - int(np.argmin(s.least))) <= NEAR
        x = s.log_lr[near] - s.log_lr[near].mean()
        rows += [(k, v) for v in x]
        target += list(s.least[near])
        weight += list(1 / np.maximum(spread_of(s)[near], 1e-12) ** 2)
        owner += [k] * len(x)
    count = len(surfaces)
    design = np.zeros((len(rows), 2 * count + 1))
    for i, (k, x) in enumerate(rows):
        design[i, k], design[i, count + k], design[i, -1] = 1.0, x, x**2
    root = np.sqrt(np.array(weight))
    x, z = design * root[:, None], np.array(target) * root
    inverse = np.linalg.pinv(x.T @ x)
    c = inverse @ (x.T @ z)
    df = len(z) - np.linalg.matrix_rank(x)
    if c[-1] <= 1e-9 or df < 1:
        return {}
    scale = max(float(((z - x @ c) ** 2).sum() / df), 0.25)
    out = {}
    for k, s in enumerate(surfaces):
        near = np.abs(np.arange(len(s.log_lr)) - int(np.argmin(s.least))) <= NEAR
        centre = s.log_lr[near].mean()
        vertex = -c[count + k] / (2 * c[-1])
        gradient = np.zeros(len(c))
        gradient[count + k], gradient[-1] = -1 / (2 * c[-1]), -vertex / c[-1]
        step = float(np.median(np.diff(s.log_lr)))
        low, high = s.log_lr[0] - PAST * step, s.log_lr[-1] + PAST * step
        if low <= centre + vertex <= high:
            sd = float(np.sqrt(scale * gradient @ inverse @ gradient))
            past = not s.log_lr[0] <= centre + vertex <= s.log_lr[-1]
            out[s.depth, s.width] = float(centre + vertex), sd, bool(past)
    return out


def spread_of(s: Surface) -> np.ndarray:
    """SD of each rate's least loss beyond what all rates of the depth share."""
    count = len(s.least)
    centring = np.eye(count) - 1 / count
    return np.sqrt(np.diag(centring @ s.covariance @ centring))


def shifted(points: Points, by: np.ndarray, sd: np.ndarray | float) -> Points:
    """Points moved by a known amount with an SD of its own."""
    return replace(points, value=points.value + by, low=points.low + by, high=points.high + by,
                   se=np.hypot(points.se, sd))  # fmt: skip


def slope(points: Points) -> Estimate | None:
    """b of a set of points; None where it isn't bounded."""
    if points.interior.sum() < LEAST_DEPTHS:
        return None
    estimate, low, high = interval(points, power_design(points), 1)
    if not np.isfinite([low, high]).all():
        return None
    return Estimate(estimate, low, high)


def carried(points: Points, by: np.ndarray, sd: np.ndarray | float, lever: np.ndarray,
            e_sd: float, df: int, tilt: float) -> Estimate | None:  # fmt: skip
    """b of the points moved by e x lever. What e's own error does is common to all depths: it moves
    b by the lever's slope on ln N; that, and the form's tilt, join the half-width in quadrature."""
    moved = shifted(points, by, sd)
    b = slope(moved)
    if b is None:
        return None
    inside = moved.interior
    design = power_design(moved)[inside]
    root = 1 / moved.se[inside]
    turn = np.linalg.lstsq(design * root[:, None], lever[inside] * root, rcond=None)[0][1]
    more = float(stdtrit(df, 0.975) * np.hypot(e_sd * turn, tilt)) if df > 0 else np.inf
    return Estimate(b.estimate, b.estimate - float(np.hypot(b.estimate - b.low, more)),
                    b.estimate + float(np.hypot(b.high - b.estimate, more)))  # fmt: skip
