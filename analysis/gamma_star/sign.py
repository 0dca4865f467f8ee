"""Whether momentum helps at all, then where the best filter lies: asked before any law of gamma*.

Helps: the best gamma above 0 against gamma = 0, paired by seed, each at its own tuned rate; the best
is chosen on the other seeds, so that choosing it earns nothing. Where: the minimum over the tap angle
phi, taps (1 + gamma, -gamma) in proportion to (cos phi, -sin phi): low-pass below 0, plain attention
at 0, the shear up to 45 degrees. A law of gamma* is not asked where the best gamma isn't positive.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from analysis.gamma_star.cells import FORM_ERROR, Cells, plain_means
from analysis.gamma_star.curve import polynomial_minimum
from analysis.stats.censored_line import Estimates, interval
from analysis.stats.shrinkage import shrink_variances

LEAST_ANGLES = 5
# A gain whose interval ends below this share of the metric is none: with gammas close to 0 the best
# of them can't be told from 0 whatever momentum does.
SMALL = 0.01
WINDOW = 45.0  # degrees to either side of the best cell
EDGE_LEVEL = 0.90  # one-sided, for each end of the grid


@dataclass(frozen=True)
class Gain:
    """ln(metric at gamma = 0) less ln(metric at the best gamma of one sign): positive where it helps."""

    estimate: float
    low: float
    high: float
    depths: dict[str, float]


@dataclass(frozen=True)
class Angle:
    """The best tap angle in degrees over all depths; depths: each one's, or "left", "right" where it
    lies at or past the grid's end, "none" where the curve has no dip."""

    estimate: float
    low: float
    high: float
    depths: dict[str, float | str]


@dataclass(frozen=True)
class Sign:
    """above, below: the gain of gamma > 0 and of gamma < 0 (None: not in the table, or one seed);
    angle: None without both signs. asked: whether a law of gamma* is."""

    above: Gain | None
    below: Gain | None
    angle: Angle | None
    asked: bool
    finding: str

    def to_json(self) -> dict[str, Any]:
        """Its entry in laws.json."""
        return asdict(self)

    def check(self) -> dict[str, Any] | None:
        """The check it makes of a law; None where nothing was told."""
        if self.above is None and self.angle is None:
            return None
        told = "can't be told" not in self.finding
        return {"passed": self.asked if told else None, "value": None if self.above is None else self.above.estimate,
                "contradicted": not self.asked, "finding": self.finding}  # fmt: skip


def tap_angle(gamma: np.ndarray) -> np.ndarray:
    """phi in degrees, rising with gamma from -135 to 45; gamma = tan phi / (1 - tan phi)."""
    gamma = np.asarray(gamma, float)
    return np.degrees(np.arctan2(gamma, 1 + gamma))


def gamma_at(phi: float) -> float:
    """gamma at a tap angle in degrees."""
    return float(np.sin(np.radians(phi)) / (np.cos(np.radians(phi)) - np.sin(np.radians(phi))))


def sign_of(groups: list[Cells], zeros: list[Cells]) -> Sign:
    """groups: one arm's cells of every gamma at their chosen rates; zeros: those of an arm that has
    gamma = 0, for an arm that hasn't (plain attention is the same in all of them)."""
    plain = {(c.depth, c.width): c for c in zeros}
    columns = [(c, zero_of(c, plain.get((c.depth, c.width)))) for c in groups]
    above, below = gain_of(columns, +1), gain_of(columns, -1)
    both = any((c.gamma < 0).any() for c in groups) and any((c.gamma > 0).any() for c in groups)
    angle = angle_of(columns) if both else None
    if angle is not None and (angle.high < 0 or angle.low > 0):
        asked = bool(angle.low > 0)
    else:
        asked = bool(above is None or above.high >= np.log1p(SMALL))
    return Sign(above, below, angle, asked, sentence(above, below, angle, asked))


def zero_of(cells: Cells, other: Cells | None) -> np.ndarray:
    """y of gamma = 0 for the seeds of `cells` (S,), NaN where there is none."""
    out = np.full(len(cells.seeds), np.nan)
    for source in (cells, other):
        if source is not None and (source.gamma == 0).any():
            y = dict(zip(source.seeds.tolist(), source.y[:, source.gamma == 0][:, 0], strict=True))
            out = np.array([y.get(s, np.nan) for s in cells.seeds.tolist()])
            if np.isfinite(out).any():
                return out
    return out


def gain_of(columns: list[tuple[Cells, np.ndarray]], side: int) -> Gain | None:
    """The gain of the best gamma of one sign, pooled over depths with what lies between them."""
    names, mean, variance, df = [], [], [], []
    for cells, zero in columns:
        gap = paired(cells.y[:, np.sign(cells.gamma) == side], zero)
        if len(gap) > 1:
            names.append(f"depth {cells.depth}, width {cells.width}")
            mean.append(gap.mean())
            variance.append(gap.var(ddof=1) / len(gap))
            df.append(len(gap) - 1)
    if not mean:
        return None
    shrunk, shrunk_df = shrink_variances(np.array(variance), np.array(df))
    if not np.isfinite(shrunk).all():
        shrunk, shrunk_df = np.maximum(variance, 1e-12), np.array(df, float)
    estimate, low, high = pooled(np.array(mean), np.sqrt(shrunk), float(np.min(shrunk_df)))
    return Gain(estimate, low, high, {n: float(v) for n, v in zip(names, mean, strict=True)})


def paired(y: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """gamma = 0 less the best of y's columns for each seed, the best chosen on the other seeds."""
    out = []
    for s in range(len(y)):
        others = np.delete(y, s, axis=0)
        count = np.isfinite(others).sum(0)
        able = (count > 0) & np.isfinite(y[s])
        if not able.any() or not np.isfinite(zero[s]):
            continue
        # a seed that some gammas lack must not choose between them by its own level
        others = others[np.isfinite(others[:, able]).any(1)][:, able]
        away = np.nanmean(others - np.nanmean(others, axis=1, keepdims=True), axis=0)
        out.append(zero[s] - y[s, np.flatnonzero(able)[int(np.argmin(away))]])
    return np.array(out)


def pooled(value: np.ndarray, se: np.ndarray, df: float) -> tuple[float, float, float]:
    """Mean over depths with its interval: random effects, or the one depth's own t interval."""
    if len(value) == 1:
        reach = float(stdtrit(max(df, 1), 0.975) * se[0])
        return float(value[0]), float(value[0] - reach), float(value[0] + reach)
    none = np.full(len(value), np.nan)
    return interval(Estimates(value, np.maximum(se, 1e-9), none, none), np.ones((len(value), 1)), 0)


def angle_of(columns: list[tuple[Cells, np.ndarray]]) -> Angle | None:
    """The best tap angle: a cubic in phi about each depth's best cell, jackknife over seeds; pooled
    over the depths whose minimum lies inside. None where fewer than half do, unless most of them lie
    past one end."""
    names, value, variance, df, ends = [], [], [], [], []
    for cells, zero in columns:
        y, phi, noise = cells.y, tap_angle(cells.gamma), cells.variance
        if not (cells.gamma == 0).any() and np.isfinite(zero).any():
            y, phi = np.column_stack([y, zero]), np.append(phi, 0.0)
            noise = np.append(noise, np.median(noise))
        there = np.isfinite(y).any(0)
        if there.sum() >= LEAST_ANGLES and len(y) > 1:
            at, without = vertices(y[:, there], phi[there], noise[there])
            count = len(without)
            names.append(f"depth {cells.depth}, width {cells.width}")
            value.append(at)
            variance.append((count - 1) / count * ((without - without.mean()) ** 2).sum())
            df.append(count - 1)
            ends.append((phi[there].min(), phi[there].max()))
    if not names:
        return None
    shrunk, shrunk_df = shrink_variances(np.maximum(variance, 1e-6), np.array(df))
    at, se = np.array(value), np.sqrt(np.nan_to_num(shrunk, nan=1e6))
    clear = stdtrit(np.maximum(shrunk_df, 1), EDGE_LEVEL) * se
    low, high = np.array(ends).T
    right, left = at + clear >= high, at - clear <= low
    kind = np.select([left & right, left, right], ["none", "left", "right"], "interior")
    inside = kind == "interior"
    depths = {n: float(v) if k == "interior" else str(k)
              for n, v, k in zip(names, at, kind, strict=True)}  # fmt: skip
    if inside.sum() >= max(len(at) / 2, 1):
        return Angle(*pooled(at[inside], se[inside], float(shrunk_df.min())), depths)
    if left.sum() > len(at) / 2 and not (left & right).any():
        return Angle(float(np.median(low)), -135.0, float(np.median(low)), depths)
    if right.sum() > len(at) / 2 and not (left & right).any():
        return Angle(float(np.median(high)), float(np.median(high)), 45.0, depths)
    return None


def vertices(y: np.ndarray, phi: np.ndarray, noise: np.ndarray) -> tuple[float, np.ndarray]:
    """The best angle of y (S, A) at phi (A,), and with each seed left out (S,)."""
    replicates = [y, *(np.delete(y, s, axis=0) for s in range(len(y)))]
    means = np.array([plain_means(r)[0] for r in replicates])
    away = np.abs(phi - phi[int(np.argmin(means[0]))])
    near = away <= max(WINDOW, np.sort(away)[LEAST_ANGLES - 1])
    x = phi[near] / WINDOW
    rise = FORM_ERROR * (means[0] - means[0].min())
    weight = 1 / (noise / len(y) + rise**2)[near]
    design = x[:, None] ** np.arange(4)
    found = []
    for mean in means:
        root = np.sqrt(np.where(np.isfinite(mean[near]), weight, 0.0))
        c = np.linalg.lstsq(design * root[:, None], np.nan_to_num(mean[near]) * root, rcond=None)[0]
        found.append(WINDOW * polynomial_minimum(c[None], x.min(), x.max())[0])
    return float(found[0]), np.array(found[1:])


def sentence(above: Gain | None, below: Gain | None, angle: Angle | None, asked: bool) -> str:
    """The finding, in the order of the questions: does it help, where is the best."""
    parts = []
    if not asked:
        parts.append("momentum (gamma > 0) does not help here")
    elif (angle is not None and angle.low > 0) or (above is not None and above.low > 0):
        parts.append("momentum (gamma > 0) helps")
    elif above is not None:
        parts.append("whether momentum (gamma > 0) helps can't be told")
    if above is not None:
        parts.append(f"its best gamma is {share(above)} than gamma = 0")
    if angle is not None:
        side = ("low-pass" if angle.high < 0 else "high-pass" if angle.low > 0
                else "not told apart from plain attention")  # fmt: skip
        parts.append(f"the best filter is {side}, phi = {angle.estimate:.0f} "
                     f"[{angle.low:.0f}, {angle.high:.0f}] degrees "
                     f"(gamma = {gamma_at(angle.estimate):.2g})")  # fmt: skip
    if below is not None:
        parts.append(f"the best gamma < 0 is {share(below)} than gamma = 0")
    if not asked:
        parts.append("a law of gamma* is not asked")
    return (
        "; ".join(parts) or "whether momentum helps is not known: no seeds of gamma = 0 to compare"
    )


def share(gain: Gain) -> str:
    """1.5 % worse [0.1, 2.9], or 29 times better [17, 50] where it is twofold or more."""
    ends = [gain.estimate, gain.low, gain.high]
    better = gain.estimate >= 0
    if not better:
        ends = [-ends[0], -ends[2], -ends[1]]
    word = "better" if better else "worse"
    if ends[0] > np.log(2):
        value, low, high = np.exp(np.clip(ends, -50, 50))
        return f"{value:.2g} times {word} [{low:.2g}, {high:.2g}]"
    # of the metric at gamma = 0: a gain is bounded by 100 %, a cost isn't
    value, low, high = (100 * (-np.expm1(-v) if better else np.expm1(v)) for v in ends)
    return f"{value:.2g} % {word} [{low:.2g}, {high:.2g}]"
