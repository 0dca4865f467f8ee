"""What the best gamma of one sign gains over gamma = 0: paired by seed, the best chosen on the other
seeds, so that choosing it earns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.gamma_star.cells import Cells
from analysis.stats.pool import pooled
from analysis.stats.shrinkage import shrink_variances
from analysis.text import number


@dataclass(frozen=True)
class Gain:
    """ln(metric at gamma = 0) less ln(metric at the best gamma of one sign): positive where it helps."""

    estimate: float
    low: float
    high: float
    depths: dict[str, float]


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


def share(gain: Gain) -> str:
    """1.5 % worse [0.1, 2.9], or 29 times better [17, 50] where it is twofold or more."""
    ends = [gain.estimate, gain.low, gain.high]
    better = gain.estimate >= 0
    if not better:
        ends = [-ends[0], -ends[2], -ends[1]]
    word = "better" if better else "worse"
    if ends[0] > np.log(2):
        value, low, high = np.exp(np.clip(ends, -50, 50))
        return f"{number(value, 2)} times {word} [{number(low, 2)}, {number(high, 2)}]"
    # of the metric at gamma = 0: a gain is bounded by 100 %, a cost isn't
    value, low, high = (100 * (-np.expm1(-v) if better else np.expm1(v)) for v in ends)
    return f"{number(value, 2)} % {word} [{number(low, 2)}, {number(high, 2)}]"
