"""A law is "supported" only when every check passed at 6 depths or more with an optimum inside
the grid; "not supported" only when the data contradict it; otherwise it can't be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from analysis.gamma_star.depth_law import (
    Points,
    enough,
    power_design,
)
from analysis.gamma_star.held_out import hold_out, left_out
from analysis.gamma_star.records import HeldOut, Optimum, RivalFit
from analysis.gamma_star.rivals import NEEDED
from analysis.gamma_star.widths import same_at_each
from analysis.stats.censored_line import Regression, regress, weighted_residual
from analysis.text import named_depths, number

LEAST_DEPTHS = 6
MARGIN = (np.log(0.75), np.log(1.25))  # a depth's departure from the law, as a factor of gamma*
# The offset's interval must hold 0 and end below gamma* at the deepest depth: an offset as large
# as that would leave no power law to see there.
LARGEST_OFFSET = 1.0
SLIGHT = 0.25  # a b below this: gamma* falls by less than half from depth 1 to 16


def of_law(points: Points, law: Regression, b: tuple[float, float, float], df: float,
           missed: Sequence[int], optima: list[Optimum], found: Sequence[RivalFit],
           offset: dict | None) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Every check that the points and their law allow. b: with its interval; df: of the curves'
    noise; found, offset: the rivals and the interval of an offset."""
    which = left_out(points, "deepest")
    # all of them have to lie inside at once
    deepest = hold_out(points, which, "deepest", optima, 1 - 0.05 / which.sum())
    checks = {
        "equivalence": equivalence(points, law, df, missed),
        "rivals": against_rivals(found, offset, b, constant_will_do(points, df)),
        "held_out": holds_out(deepest),
        "stable": stable(points, b),
    }
    if len(set(points.width)) > 1:
        checks["widths"] = same_at_each(points, law)
    return checks


def equivalence(points: Points, law: Regression, df: float, missed: Sequence[int]) -> dict:
    """Check 1: each depth's departure, with its 90 % interval, stays within the margin, and the
    curves describe the data; missed: the depths whose curves don't."""
    inside = points.interior
    residual, se = law.residual[inside], points.se[inside]
    half = stdtrit(max(df, 1), 0.95) * se
    low, high = residual - half, residual + half
    within = (low >= MARGIN[0]) & (high <= MARGIN[1])
    outside = (high < MARGIN[0]) | (low > MARGIN[1])
    worst = int(np.argmax(np.maximum(np.abs(low), np.abs(high))))
    depth = int(points.depth[inside][worst])
    finding = f"largest departure at depth {depth}: {percent(low[worst])} to {percent(high[worst])}"
    if missed:
        finding += f"; the curve misses the data at {named_depths(missed)}"
    return {
        "passed": bool(within.all() and not missed),
        "value": float(np.max(np.maximum(np.abs(low), np.abs(high)))),
        "margin": 0.25, "contradicted": bool(outside.any()),
        "departures": {
            place(points, i): [float(low[j]), float(high[j])]
            for j, i in enumerate(np.flatnonzero(inside))
        },
        "finding": finding,
    }  # fmt: skip


def place(points: Points, i: int) -> str:
    """A depth's name in laws.json."""
    name = f"depth {int(points.depth[i])}"
    return name if np.ptp(points.width) == 0 else f"{name}, width {int(points.width[i])}"


def percent(log_ratio: float) -> str:
    """+12 % for ln 1.12."""
    return f"{100 * np.expm1(log_ratio):+.0f} %"


def constant_will_do(points: Points, df: float) -> bool:
    """Whether one gamma* for all depths (of a width) passes the margin that the law has to pass: then
    a slope that excludes 0 is a slope without weight."""
    inside = points.interior
    theta, se = points.value[inside], points.se[inside]
    flat = np.delete(power_design(points), 1, axis=1)[inside]
    away = weighted_residual(theta, flat, 1 / se**2)
    half = stdtrit(max(df, 1), 0.95) * se
    return bool(((away - half >= MARGIN[0]) & (away + half <= MARGIN[1])).all())


def against_rivals(
    found: Sequence[RivalFit], offset: dict | None, b: tuple, constant: bool
) -> dict:
    """Check 2: better by NEEDED than rivals not nested; nested ones excluded by interval.
    constant: one gamma* for all depths stays within the margin."""
    known = [r for r in found if r.delta_ic is not None]
    close = [r for r in known if r.delta_ic < NEEDED]
    better = [r for r in known if r.delta_ic <= -NEEDED]
    told = bool(known) and len(known) == len(found) and not close
    flat = not (b[1] <= 0 <= b[2]) and not constant
    dose = not (b[1] <= 1 <= b[2])
    small = offset is not None and offset["zero_inside"] and offset["high"] is not None
    small = small and offset["high"] <= LARGEST_OFFSET
    finding = []
    if close:
        finding.append("not told apart from " + ", ".join(r.name for r in close))
    if not known:
        finding.append("too few depths for an information criterion")
    if not flat:
        finding.append("one γ* for all depths lies within the margin" if constant
                     else "b = 0 not excluded")  # fmt: skip
    if not dose:
        finding.append("b = 1 (equal total dose) not excluded")
    if offset is not None and not offset["zero_inside"]:
        finding.append("an offset is needed")
    elif not small:
        finding.append("an offset is not excluded")
    return {
        "passed": bool(told and flat and dose and small),
        "value": min((r.delta_ic for r in known), default=None),
        "needed": NEEDED, "contradicted": bool(better)
        or bool(offset is not None and not offset["zero_inside"]),
        "b0_excluded": flat, "b1_excluded": dose, "offset": offset,
        "finding": "; ".join(finding) or "better than every rival",
    }  # fmt: skip


def holds_out(found: Sequence[HeldOut]) -> dict:
    """Check 3: the deepest depth, at every width, inside its prediction interval, and all of them
    together nearer than a constant."""
    if not found:
        return {"passed": False, "value": None, "contradicted": False,
                "finding": "too few depths to hold one out"}  # fmt: skip
    inside = all(h.inside for h in found)
    told = [h for h in found if h.log_error is not None]
    error = float(np.mean([h.log_error for h in told])) if told else None
    nearer = bool(told) and error < np.mean([h.constant_log_error for h in told])
    several = len(found) > 1
    findings = []
    for h in found:
        at = f"depth {h.depth}" + (f", width {h.width}," if several else "")
        seen = ", no optimum seen there" if h.observed is None else f", seen {number(h.observed)}"
        findings.append(
            f"{at} predicted {number(h.predicted)} [{number(h.low)}, {number(h.high)}]{seen}"
        )
    if inside and told and not nearer:
        findings.append("no better than a constant")
    return {
        "passed": bool(inside and nearer), "value": error, "depth": found[-1].depth,
        "contradicted": any(h.inside is False for h in found), "finding": "; ".join(findings),
    }  # fmt: skip


def stable(points: Points, b: tuple[float, float, float]) -> dict:
    """Check 4: b's interval excludes 0, and leaving out any depth moves b nowhere outside it."""
    moved: dict[str, float | None] = {}
    worst, steady = None, True
    for depth in np.unique(points.depth):
        name = f"depth {int(depth)}"
        rest = points.only(points.depth != depth)
        if not enough(rest):
            moved[name] = None
            steady = False
            continue
        estimate = float(regress(rest, power_design(rest)).coefficients[1])
        moved[name] = estimate
        steady &= b[1] <= estimate <= b[2] and np.sign(estimate) == np.sign(b[0])
        worst = estimate if worst is None or abs(estimate - b[0]) > abs(worst - b[0]) else worst
    excluded = not (b[1] <= 0 <= b[2])
    finding = "b excludes 0" if excluded else "b's interval holds 0"
    if worst is not None:
        finding += f"; leaving a depth out moves b to {number(worst)} at most"
    return {
        "passed": bool(excluded and steady), "value": worst, "without": moved,
        # an interval that merely holds 0 is low power; one that holds little else contradicts a fall
        "contradicted": bool(not excluded and max(-b[1], b[2]) < SLIGHT), "finding": finding,
    }  # fmt: skip


def depths_enough(optima: Sequence[Optimum]) -> dict:
    """At least 6 distinct depths with an optimum inside the grid."""
    inside = len({o.depth for o in optima if o.kind == "interior"})
    every = len({o.depth for o in optima})
    return {"passed": inside >= LEAST_DEPTHS, "value": inside, "needed": LEAST_DEPTHS,
            "contradicted": False,
            "finding": f"{inside} of {every} depths have an optimum inside the grid"}  # fmt: skip


def decide(checks: dict[str, dict[str, Any]], optima: Sequence[Optimum]) -> tuple[str, str]:
    """The verdict and the sentence that gives its reason."""
    sign = checks.get("sign", {})
    if sign.get("passed") is False:
        return "not supported", sign["finding"]
    for name in ("formation", "lost_depths", "lost_runs"):
        if checks.get(name, {}).get("passed") is False:
            return "not distinguishable", f"not distinguishable: {checks[name]['finding']}"
    depths = len({o.depth for o in optima})
    inside = len({o.depth for o in optima if o.kind == "interior"})
    endless = len({o.depth for o in optima if o.kind == "right"})
    if endless >= 2 and endless > depths / 2:
        return "not supported", f"no finite optimum at {endless} of {depths} depths"
    # a rate that nothing in the table tuned leaves the law undecided, not passed
    failed = {name: c for name, c in checks.items() if c.get("passed") is False
              or (name == "learning_rate" and c.get("passed") is None)}  # fmt: skip
    if not failed:
        return "supported", f"every check passed at {inside} depths"
    plural = "depth" if depths == 1 else "depths"
    if inside >= LEAST_DEPTHS:
        against = [f"{name}: {c['finding']}" for name, c in failed.items() if c.get("contradicted")]
        if against:
            return "not supported", "; ".join(against)
    if inside < LEAST_DEPTHS:
        failed = {n: c for n, c in failed.items() if n in ("depths", "slope", "learning_rate")}
    why = "; ".join(c["finding"] for c in failed.values())
    return "not distinguishable", f"not distinguishable, {depths} {plural}: {why}"
