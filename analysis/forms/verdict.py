"""From a fit to the object of laws.json: parameters, checks, rivals and a verdict in one word.

Guarantee: "supported" only where the optimum is proven stationary, every parameter is identified
within finite bounds, every term is needed, no rival comes within 4 of the law and the residuals show no pattern.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.forms.fit import Fit, Problem
from analysis.forms.form import Form
from analysis.forms.pattern import pattern
from analysis.forms.rivals import APART, Rival
from analysis.stats.more import with_more
from analysis.tables.laws_json import Law, Parameter

MANY_UNITS = (
    40  # below it cluster-robust tests are approximate (Cameron and Miller 2015, section VI)
)

# An absent term contradicts a law only where rows enough were there to see it: an effect below FEW
# times the scatter of a row, and one that moves y by MATTERS (rms) or less.
FEW, MATTERS = 0.8, 0.05
UNNEEDED = "the data are described without it"


def judged_law(
    form: Form,
    problem: Problem,
    fit: Fit,
    rivals: list[Rival],
    metric: str,
    level: float,
    method: str,
    data: dict[str, Any],
    columns: dict[str, np.ndarray],
) -> Law:
    """The law as laws.json has it."""
    unneeded = {
        name: f"{UNNEEDED} (rival '{r.name}')"
        for r in rivals
        if r.nested and r.needed is False
        for name in r.drops
    }
    parameters, reasons = {}, {}
    for e in fit.estimates:
        reason = "; ".join(filter(None, [e.reason, unneeded.get(e.name, "")]))
        parameters[e.name] = Parameter(e.value, e.low, e.high, not reason)
        if reason:
            reasons[e.name] = reason
    parameters, reasons = bounded(parameters, reasons)
    checks: dict[str, dict[str, Any]] = {
        "optimum": {
            "passed": fit.optimum.stationary,
            "value": fit.optimum.check,
            "objective": fit.optimum.value,
            "starts": fit.optimum.starts,
            "starts_agreeing": fit.optimum.agreeing,
        },
        "identified": {"passed": not reasons, "value": len(reasons), "reasons": reasons},
        "pattern": pattern(form, problem, fit, columns),
    }
    if problem.unit is not None:
        count = int(problem.unit.max()) + 1
        checks["units"] = {
            "passed": True if count >= MANY_UNITS else None,
            "value": count,
            "needed": MANY_UNITS,
            "finding": f"{count} units of {data['units']['column']}; fewer than {MANY_UNITS} tell "
            "too little of how units scatter for a verdict",
        }
    others = [r for r in rivals if not r.nested]
    if others:
        worst = min(others, key=lambda r: r.delta)
        checks["rivals"] = {
            "passed": worst.delta >= APART,
            "value": worst.delta,
            "closest": worst.name,
        }
    nested = [r for r in rivals if r.nested]
    if nested:
        checks["needed"] = {
            "passed": all(r.needed for r in nested),
            "value": [r.name for r in nested if not r.needed],
            "contradicted": any(
                not r.needed and seen_if_there(r, data["misfit"]["rms"]) for r in nested
            ),
        }
    rms = float(np.sqrt(np.mean(fit.residuals**2)))
    data = {**data, "residual_rms": rms, "residual_largest": float(np.abs(fit.residuals).max())}
    data["more_rows"] = more_rows(fit, parameters, problem)
    if rms < 1e-9:
        exact = (
            "the rows follow the form to rounding: intervals assume a relative error of "
            "1e-8, the digits of the table"
        )
        data["notes"] = [*data.get("notes", []), exact]
    return Law(
        form.name,
        form.text,
        metric,
        None,
        parameters,
        level,
        method,
        verdict(checks, rivals),
        checks,
        [
            {
                "name": r.name,
                "nested": r.nested,
                "delta": r.delta,
                "needed": r.needed,
                "parameters": r.parameters,
                "least_effect": None if r.least is None else r.least * data["misfit"]["rms"],
                "rows_needed": None if r.times is None else r.times * fit.residuals.size,
            }
            for r in rivals
        ],
        data,
    )


def more_rows(
    fit: Fit, parameters: dict[str, Parameter], problem: Problem
) -> dict[str, dict[str, float]]:
    """Half-widths of the exponents' intervals now and with 2 and 4 times the rows (or units) at the
    same places: {"alpha": {"1": .., "2": .., "4": ..}}."""
    rows = fit.residuals.size if problem.unit is None else int(problem.unit.max()) + 1
    found = {}
    for e in fit.estimates:
        p = parameters[e.name]
        if e.kind == "exponent" and p.low is not None and p.high is not None:
            half = (p.high - p.low) / 2
            size = problem.model.size
            found[e.name] = {str(m): half * with_more(rows, size, m) for m in (1, 2, 4)}
    return found


def bounded(
    parameters: dict[str, Parameter], reasons: dict[str, str]
) -> tuple[dict[str, Parameter], dict[str, str]]:
    """The parameters with each number that is not finite as None, and then not identified: no
    verdict rests on an interval that was not computed, whatever the reason."""
    found, reasons = {}, dict(reasons)
    for name, p in parameters.items():
        value, low, high = (
            None if v is None or not np.isfinite(v) else v for v in (p.estimate, p.low, p.high)
        )
        ordered = None not in (value, low, high) and low <= value <= high
        if p.identified and not ordered:
            reasons[name] = "its estimate or its interval is not finite"
            if None not in (value, low, high):
                reasons[name] = "its estimate lies outside its interval"
        found[name] = Parameter(value, low, high, p.identified and ordered)
    return found, reasons


def verdict(checks: dict[str, dict[str, Any]], rivals: list[Rival]) -> str:
    """ "supported", "not supported" (something describes the rows better, a term would have been seen
    and wasn't, or the residuals contradict the form) or "not distinguishable" (the rest)."""
    if all(c["passed"] for c in checks.values()):
        return "supported"
    beaten = any(not r.nested and r.delta <= -APART for r in rivals)
    if beaten or any(c.get("contradicted") for c in checks.values()):
        return "not supported"
    return "not distinguishable"


def seen_if_there(rival: Rival, rms: float) -> bool:
    """Whether the rows would have told a term of any size that matters from none: what they don't
    show then isn't there. rms: of the residuals of ln y."""
    return rival.least <= FEW and rival.least * rms <= MATTERS
