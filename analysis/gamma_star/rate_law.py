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

from analysis.gamma_star.best_rates import best_rates
from analysis.gamma_star.carried import Estimate, carried, shifted, slope
from analysis.gamma_star.depth_law import Points
from analysis.gamma_star.rate_surface import Surface
from analysis.stats.censored_line import Estimates, interval, regress

LEAST_DEPTHS = 3
# "Explained": b at a fixed rate holds 0 and its interval stays within MOST of b in total (it is known,
# not merely unknown), or the interval stays within SLIGHT of it: then the rate accounts for the fall.
MOST, SLIGHT = 0.5, 0.25
# A curve whose form is not quite the data's puts optima off by more the lower they lie: simulated, by
# .0075 of ln gamma*'s own range (docs/notebook.md, "the rate beside depth"). One SD, in b's intervals.
TILT = 0.015


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
    def undecided(self) -> bool:
        """Whether the rates differ by depth and nothing tells b at a fixed one."""
        rates = [d.lr for d in self.depths]
        return self.b_fixed is None and max(rates) > (1 + 1e-9) * min(rates)

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
        few = f"rates and γ enough for it were tuned at {len(surfaces)} depths"
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
    how = f"γ* goes as lr^{e}, the best rate as N^-({fall})"
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
    depth_of, width_of, gamma_of, lr_of = (
        rates[c].to_numpy(float) for c in ("depth", "width", "gamma", "lr")
    )
    value, se, low, high = (a.copy() for a in (points.value, points.se, points.low, points.high))
    log_lr = np.full(len(value), np.nan)
    for i, (depth, width) in enumerate(zip(points.depth, points.width, strict=True)):
        mine = (depth_of == depth) & (width_of == width) & np.isfinite(lr_of)
        above = mine & (gamma_of > 0)
        gamma, lr = (v[above if above.any() else mine] for v in (gamma_of, lr_of))
        if not len(lr):
            continue
        surface = by_place.get((int(depth), int(width)))
        if len(set(lr)) > 1 and surface is not None and surface.log_gamma is not None:
            value[i], se[i], log_lr[i] = surface.log_gamma, surface.log_gamma_se, surface.centre
            low[i], high[i] = -np.inf, np.inf
            continue
        at = value[i] if np.isfinite(value[i]) else points.bound[i]
        away = np.abs(np.log(gamma) - at) if above.any() else np.zeros(1)
        log_lr[i] = np.log(lr[int(np.argmin(away))])
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
