"""Several widths under one law: whether b is the same at each, whether the width enters as a power,
and an interval of b whose unit is the depth, not the (depth, width).
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import fdtrc, stdtrit

from analysis.gamma_star.depth_law import LEAST_INTERIOR, Points, power_design
from analysis.stats.censored_line import Regression, interval, regress
from analysis.text import number

LEVEL = 0.95
# Two widths' b may differ by this share of b itself, interval included, before one b for all of them
# is no longer a law: doubling the width may not halve the exponent.
APART = 0.5


def same_at_each(points: Points, law: Regression) -> dict[str, Any]:
    """The check: b estimated at each width alone, the largest difference with its interval
    (Bonferroni over pairs), and with 3 widths or more whether ln gamma* is linear in ln width."""
    widths = np.unique(points.width)
    mine = points.width[:, None] == widths
    told = np.array([
        len(set(points.depth[points.interior & mine[:, i]])) >= LEAST_INTERIOR
        for i in range(len(widths))
    ])  # fmt: skip
    if not told.all():
        lacking = ", ".join(f"{w:g}" for w in widths[~told])
        return {"passed": False, "value": None, "contradicted": False, "b": {},
                "finding": f"b is not known at width {lacking}"}  # fmt: skip
    design = np.column_stack([mine, -np.log(points.depth)[:, None] * mine])
    apart = regress(points, design, tau2=law.tau**2)
    count = len(widths)
    b, cov = apart.coefficients[count:], apart.covariance[count:, count:]
    pairs = list(combinations(range(count), 2))
    reach = stdtrit(apart.df, 1 - (1 - LEVEL) / 2 / len(pairs)) if apart.df > 0 else np.inf
    rows = []
    for i, j in pairs:
        gap = b[i] - b[j]
        half = reach * np.sqrt(cov[i, i] + cov[j, j] - 2 * cov[i, j])
        rows.append((float(gap), float(gap - half), float(gap + half), i, j))
    gap, low, high, i, j = max(rows, key=lambda r: max(abs(r[1]), abs(r[2])))
    differ = [r for r in rows if r[1] > 0 or r[2] < 0]
    if differ:
        gap, low, high, i, j = max(differ, key=lambda r: abs(r[0]))
    bent = curvature(points, law) if count > 2 else None
    most = APART * abs(float(law.coefficients[1]))
    close = max(abs(low), abs(high)) <= most
    said = f"b at width {widths[i]:g} less b at width {widths[j]:g}: {number(gap, 2)} [{number(low, 2)}, {number(high, 2)}]"
    findings = [f"b differs by width: {said}" if differ else
             f"the same b at {count} widths: {said}" if close else
             f"b at each width is not known well enough to be called the same: {said}"]  # fmt: skip
    if bent is not None and bent < 1 - LEVEL:
        findings.append(f"γ* is no power of the width (p = {number(bent, 2)})")
    wrong = bool(differ) or (bent is not None and bent < 1 - LEVEL)
    return {
        "passed": bool(close and not wrong), "value": gap, "low": low, "high": high,
        "margin": most, "contradicted": wrong, "p_width_is_a_power": bent,
        "b": {f"{w:g}": float(v) for w, v in zip(widths, b, strict=True)}, "finding": "; ".join(findings),
    }  # fmt: skip


def curvature(points: Points, law: Regression) -> float | None:
    """p of ln gamma* being linear in ln width, against a level of its own at each width."""
    widths = np.unique(points.width)
    levels = points.width[:, None] == widths
    full = np.column_stack([levels, -np.log(points.depth)])
    fit = regress(points, full, tau2=law.tau**2)
    if fit.df < 1:
        return None
    # contrasts of the levels that vanish where they are linear in ln width
    line = np.column_stack([np.ones(len(widths)), np.log(widths)])
    contrast = np.linalg.svd(line)[0][:, 2:].T
    at = contrast @ fit.coefficients[:-1]
    cov = contrast @ fit.covariance[:-1, :-1] @ contrast.T
    return float(fdtrc(len(at), fit.df, at @ np.linalg.pinv(cov) @ at / len(at)))


def interval_of_b(points: Points) -> tuple[float, float, float]:
    """b with its interval. With several widths the depth is the unit too: what moves a depth at all
    widths at once is no more precise for being seen twice, so that the wider of both intervals
    holds."""
    design = power_design(points)
    b, low, high = interval(points, design, 1)
    if design.shape[1] == 2 or not np.isfinite([low, high]).all():
        return b, low, high
    inside = points.interior
    law = regress(points, design)
    level = np.where(inside, points.value, 0.0) + law.coefficients[2] * np.log(points.width)
    depths = np.unique(points.depth[inside])
    if len(depths) < LEAST_INTERIOR:
        return b, low, high
    weight = np.where(inside, 1 / law.variance, 0.0)
    mine = points.depth == depths[:, None]
    total = (mine * weight).sum(1)
    none = np.full(len(depths), np.nan)
    means = Points((mine * weight * level).sum(1) / total, 1 / np.sqrt(total), none, none, depths,
                   np.full(len(depths), points.width[0]))  # fmt: skip
    at, least, most = interval(means, power_design(means), 1)
    return b, min(low, b - (at - least)), max(high, b + (most - at))
