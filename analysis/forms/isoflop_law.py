"""An isoflop fit as an object of laws.json, with its checks.

Guarantee: "supported" only with a finite interval of both parameters, from at least LEAST interior
optima.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from analysis.errors import InputError
from analysis.forms import isoflop
from analysis.forms.choices import Choices
from analysis.forms.isoflop_spread import LEAST, over_units, resampled, rolled_out
from analysis.forms.verdict import bounded
from analysis.tables.laws_json import Law, Parameter

CURVES = {"spline": "a smoothing spline (REML)", "parabola": "a parabola (Hoffmann et al. 2022)"}


def isoflop_law(
    columns: dict[str, np.ndarray],
    metric: str,
    data: dict[str, Any],
    choices: Choices,
    unit: np.ndarray | None = None,
) -> tuple[Law, isoflop.IsoflopFit]:
    """Fit `isoflop` to C, N or D, L (n,). metric: the column of L; data: of the rows; unit (n,):
    which rows are one run's or one model's, so that budgets share them."""
    size = "N" if "N" in columns else "D"
    level, minimum, bootstrap = choices.level, choices.minimum or "spline", choices.bootstrap
    if bootstrap and unit is not None:
        raise InputError("--bootstrap resamples budgets, which share the units of "
                         f"{data['units']['column']}: leave it out, or give --cluster none")  # fmt: skip
    found = isoflop.fit(columns["C"], columns[size], columns["L"], size, level, minimum)
    (log_a, *ends_a), (slope, *ends_b) = found.intervals()
    if unit is not None:
        wider = over_units(columns, size, minimum, unit, level)
        ends_a, ends_b = (
            (min(low, at - half), max(high, at + half))
            for at, (low, high), half in zip((log_a, slope), (ends_a, ends_b), wider, strict=True)
        )
    exact = np.array([b.minimum.kind == "interior" for b in found.budgets])
    x = np.log([b.flops for b in found.budgets])[exact]
    y = np.array([b.minimum.x for b in found.budgets if b.minimum.kind == "interior"])
    if bootstrap:
        samples = resampled(found, x, y, exact, bootstrap, choices.seed)
        ends_a, ends_b = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0).T
    reasons = unidentified(int(exact.sum()), ends_a, ends_b)
    told = exact.sum() >= LEAST
    parameters = {
        name: Parameter(float(natural(value)), *(
            float(natural(v)) if told and np.isfinite(v) else None for v in ends
        ), name not in reasons)
        for name, natural, value, ends in (
            ("coefficient", _exp, log_a, ends_a), ("exponent", np.asarray, slope, ends_b),
        )
    }  # fmt: skip
    parameters, reasons = bounded(parameters, reasons)
    bend = _bend(x, y)
    checks = {
        "identified": {"passed": not reasons, "value": len(reasons), "reasons": reasons},
        "interior": {
            "passed": bool(exact.sum() >= 3),
            "value": int(exact.sum()),
            "budgets": len(found.budgets),
        },
        "straight": {
            "passed": None if bend is None else bend > 0.01,
            "value": bend,
            "finding": "p of a quadratic term through the optima",
        },
        "needed": {
            "passed": bool(ends_b[0] > 0 or ends_b[1] < 0),
            "value": [float(v) for v in ends_b],
        },
    }
    verdict = (
        "supported"
        if all(c["passed"] for c in checks.values())
        else (
            "not supported"
            if checks["straight"]["passed"] is False or not checks["needed"]["passed"]
            else "not distinguishable"
        )
    )
    data = data | {
        "budgets": [
            {
                "C": b.flops,
                "kind": b.minimum.kind,
                "optimum": None if b.minimum.x is None else float(np.exp(b.minimum.x)),
                "bound": None if b.minimum.bound is None else float(np.exp(b.minimum.bound)),
                "log_sd": b.minimum.sd,
            }
            for b in found.budgets
        ],
        "used": int(sum(b.used.sum() for b in found.budgets)),
        "skipped": found.skipped,
        "notes": [*data.get("notes", []), *found.warnings],
        "loss_noise": found.noise,
        "scatter": found.line.tau,
        "roll_out": rolled_out(found),
    }
    how = (
        f"{bootstrap} bootstraps over budgets"
        if bootstrap
        else f"t with {found.line.df} degrees of freedom, scatter between budgets included"
    )
    if unit is not None:
        how += f", or the jackknife over {unit.max() + 1} units where it is wider"
    law = Law(
        "isoflop",
        f"{size}* = coefficient · C^exponent",
        metric,
        None,
        parameters,
        level,
        f"per-budget minimum of {CURVES[minimum]} in ln {size}, then a "
        f"weighted line in logs; intervals: {how}",
        verdict,
        checks,
        [],
        data,
    )
    return law, found


def _exp(value: float) -> np.ndarray:
    with np.errstate(over="ignore"):  # `bounded` says what an infinite value means
        return np.exp(value)


def _bend(x: np.ndarray, y: np.ndarray) -> float | None:
    """p value of the quadratic term of y on x; None with fewer than 5 points."""
    if x.size < 5:
        return None
    z = (x - x.mean()) / x.std()
    design = np.stack([np.ones_like(z), z, z**2], 1)
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    rest = y - design @ beta
    error = np.sqrt(rest @ rest / (x.size - 3) * np.linalg.inv(design.T @ design)[2, 2])
    return float(2 * stats.t.sf(abs(beta[2]) / max(error, 1e-300), x.size - 3))


def unidentified(interior: int, *ends) -> dict[str, str]:
    """Why the coefficient or the exponent has no interval, by name."""
    if interior < LEAST:
        why = f"{interior} interior optima give no honest interval"
        return {"coefficient": why, "exponent": why}
    return {
        name: "the data bound it on neither side" if not np.isfinite(pair).any()
        else "the data bound it on one side only"
        for name, pair in zip(("coefficient", "exponent"), ends, strict=True)
        if not np.isfinite(pair).all()
    }  # fmt: skip
