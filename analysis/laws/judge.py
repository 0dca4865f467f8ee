"""From a fit to the object of laws.json: parameters, checks, rivals and a verdict in one word.

Guarantee: "supported" only where the optimum is proven stationary, every parameter is identified,
every term is needed, no rival comes within 4 of the law and the residuals show no pattern.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from analysis.estimators.fit import Fit, Problem
from analysis.laws.form import Form
from analysis.laws.result import Law, Parameter
from analysis.laws.rivals import APART, Rival


def judge(form: Form, problem: Problem, fit: Fit, rivals: list[Rival], metric: str, level: float,
          method: str, data: dict[str, Any], columns: dict[str, np.ndarray]) -> Law:
    """The law as laws.json has it."""
    unneeded = {name: f"the data are described without it (rival '{r.name}')"
                for r in rivals if r.nested and r.needed is False for name in r.drops}
    parameters, reasons = {}, {}
    for e in fit.estimates:
        reason = "; ".join(filter(None, [e.reason, unneeded.get(e.name, "")]))
        parameters[e.name] = Parameter(e.value, e.low, e.high, not reason)
        if reason:
            reasons[e.name] = reason
    checks: dict[str, dict[str, Any]] = {
        "optimum": {"passed": fit.optimum.stationary, "value": fit.optimum.check,
                    "objective": fit.optimum.value, "starts": fit.optimum.starts,
                    "starts_agreeing": fit.optimum.agreeing},
        "identified": {"passed": not reasons, "value": len(reasons), "reasons": reasons},
        "pattern": pattern(form, fit, columns),
    }
    others = [r for r in rivals if not r.nested]
    if others:
        worst = min(others, key=lambda r: r.delta)
        checks["rivals"] = {"passed": worst.delta >= APART, "value": worst.delta,
                            "closest": worst.name}
    nested = [r for r in rivals if r.nested]
    if nested:
        checks["needed"] = {"passed": all(r.needed for r in nested),
                            "value": [r.name for r in nested if not r.needed]}
    rms = float(np.sqrt(np.mean(fit.residuals**2)))
    data = {**data, "residual_rms": rms, "residual_largest": float(np.abs(fit.residuals).max())}
    if rms < 1e-9:
        exact = ("the rows follow the form to rounding: intervals assume a relative error of "
                 "1e-8, the digits of the table")
        data["notes"] = [*data.get("notes", []), exact]
    return Law(form.name, form.text, metric, None, parameters, level, method,
               verdict(checks, rivals), checks,
               [{"name": r.name, "nested": r.nested, "delta": r.delta, "needed": r.needed,
                 "parameters": r.parameters} for r in rivals], data)


def verdict(checks: dict[str, dict[str, Any]], rivals: list[Rival]) -> str:
    """"supported", "not supported" (something describes the rows better, or a term is not needed
    or the residuals contradict the form) or "not distinguishable"."""
    if all(c["passed"] for c in checks.values()):
        return "supported"
    beaten = any(not r.nested and r.delta <= -APART for r in rivals)
    idle = any(r.nested and r.needed is False for r in rivals)
    if beaten or idle or checks["pattern"]["passed"] is False:
        return "not supported"
    return "not distinguishable"


def pattern(form: Form, fit: Fit, columns: dict[str, np.ndarray]) -> dict[str, Any]:
    """Do the residuals bend along the variables? F test of all quadratic terms, at 1 %.

    Residuals are cut at 4 robust SDs, so that one outlier is no pattern; a pattern counts only if
    it takes a tenth of the residual variance: with very many rows anything is significant.
    """
    r = fit.residuals
    if np.sqrt(np.mean(r**2)) < 1e-9:
        return {"passed": True, "value": None, "words": "no residuals to speak of"}
    robust = 1.4826 * float(np.median(np.abs(r - np.median(r))))
    r = np.clip(r, np.median(r) - 4 * robust, np.median(r) + 4 * robust) if robust > 0 else r
    parts = [np.ones_like(r)]
    logs = [np.log(columns[v]) for v in form.variables if v != form.response]
    logs = [(v - v.mean()) / v.std() for v in logs if v.std() > 1e-12]
    parts += logs
    parts += [a * b for i, a in enumerate(logs) for b in logs[i:]]
    design = np.stack(parts, axis=1)
    design = np.linalg.qr(design)[0][:, : np.linalg.matrix_rank(design)]
    # the law has used some of these directions up already: count what the law has not
    used = len(fit.estimates)
    added = max(design.shape[1] - min(used, design.shape[1] - 1), 1)
    spare = r.size - used - added
    if spare < 3:
        return {"passed": None, "value": None, "words": "too few rows to look for a pattern"}
    explained = float(np.sum((design.T @ r) ** 2))
    left = float(r @ r) - explained
    p = float(stats.f.sf(explained / design.shape[1] / max(left / spare, 1e-300),
                         design.shape[1], spare))
    share = explained / max(float(r @ r), 1e-300)
    return {"passed": not (p < 0.01 and share > 0.1), "value": p, "share": share,
            "words": f"quadratic terms explain {share:.0%} of the residual variance"}
