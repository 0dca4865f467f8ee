"""From clean rows to an `Outcome`: the fit, its rivals, its verdict and what was held out.

Guarantee: rows held out take no part in the fit, in the rivals or in the noise estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from analysis.errors import InputError
from analysis.estimators.fit import Fit, Problem, fit
from analysis.estimators.objective import Loss, parse_loss
from analysis.estimators.terms import power_sum_problem
from analysis.laws import isoflop, rivals
from analysis.laws.expressions import condition
from analysis.laws.form import Form
from analysis.laws.judge import judge
from analysis.laws.result import Law, Parameter
from analysis.laws.rows import Rows


@dataclass(frozen=True)
class Outcome:
    """A law with what figures need. columns: those fitted; form None for isoflop."""

    law: Law
    columns: dict[str, np.ndarray]
    labels: dict[str, str]
    form: Form | None = None
    problem: Problem | None = None
    fit: Fit | None = None
    isoflop: isoflop.IsoflopFit | None = None
    held: dict[str, Any] = field(default_factory=dict)


def outcome(
    form: Form,
    rows: Rows,
    labels: dict[str, str],
    loss: Loss | None,
    about: dict[str, Any],
    bootstrap: int,
    hold_out: str | None,
    level: float,
    seed: int,
    progress,
) -> Outcome:
    """Fit one of the additive forms."""
    inside, outside = split(rows, hold_out)
    columns = {n: v[inside] for n, v in rows.columns.items()}
    chosen = loss or parse_loss(form.loss)
    problem = form.problem(columns)
    found = fit(problem, chosen, level, bootstrap, seed, progress)
    simple = rivals.compare(problem, found, simpler(form, columns))
    how = f"{bootstrap} case bootstraps (percentiles)" if bootstrap else "profile likelihood"
    method = (
        f"{chosen.label} on ln {labels[form.response]}, best of {found.optimum.starts} starts "
        f"of a variable-projection grid; intervals: {how}"
    )
    data = described(rows, columns, about)
    if bootstrap:
        data["bootstrap"] = {
            "replicates": bootstrap,
            "seed": seed,
            "se": {e.name: float(np.nanstd(e.samples)) for e in found.estimates},
        }
    law = judge(form, problem, found, simple, labels[form.response], level, method, data, columns)
    held = {}
    if hold_out:
        apart = {n: v[outside] for n, v in rows.columns.items()}
        held = predicted(form, law, found, columns, apart, level, hold_out)
        law = _with(law, held)
    return Outcome(law, columns, labels, form, problem, found, held=held)


def simpler(form: Form, columns: dict[str, np.ndarray]) -> list[tuple]:
    """The form's simpler laws, as `rivals.compare` takes them."""
    y = columns[form.response]
    log_y = np.log(y)
    found: list[tuple] = []
    for name in form.smaller:
        if name.startswith("without "):
            left_out = name.removeprefix("without ")
            kept = [v for v in form.variables if v not in {left_out, form.response}]
            names = [(f"A_{v}", f"alpha_{v}") for v in kept]
            given = power_sum_problem([columns[v] for v in kept], y, names, floor="E")
            drops = _drops(form.name, left_out)
            found.append((name, True, drops, given))
            continue
        x = columns["x"]
        log_x = np.log(x)
        # the constant and the power law are the offset power law with parameters fixed
        if name == "constant":
            drops = ("exponent",) if form.name == "power" else ("coefficient", "exponent")
            found.append((name, True, drops, rivals.straight(None, log_y)))
        elif name == "power":
            found.append((name, True, ("E",), rivals.straight(log_x, log_y)))
        elif name == "logarithmic":
            nested = form.name == "offset-power"
            given = rivals.logarithmic(log_x, log_y)
            found.append((name, nested, ("E", "coefficient") if nested else (), given))
        elif name == "exponential":
            found.append((name, False, (), rivals.straight(x, log_y)))
        elif name == "step":
            found.append((name, False, (), rivals.step(x, log_y)))
    return found


def _drops(form: str, variable: str) -> tuple[str, ...]:
    if form == "chinchilla":
        return {"N": ("A", "alpha"), "D": ("B", "beta")}[variable]
    return f"A_{variable}", f"alpha_{variable}"


def split(rows: Rows, hold_out: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Row indices (fitted, held out)."""
    everything = np.arange(rows.kept.size)
    if not hold_out:
        return everything, everything[:0]
    apart = condition(hold_out, rows.table, "--hold-out").to_numpy()
    if not apart.any() or apart.all():
        raise InputError(
            f"--hold-out {hold_out!r} holds out {int(apart.sum())} of {apart.size} "
            "rows: some have to be on either side"
        )
    return everything[~apart], everything[apart]


def predicted(form: Form, law: Law, found: Fit, columns, apart, level, text) -> dict[str, Any]:
    """How well the held-out rows are predicted, against the nearest row and a log-log plane."""
    values = {n: p.estimate for n, p in law.parameters.items()}
    truth = np.log(apart[form.response])
    result: dict[str, Any] = {"condition": text, "rows": int(truth.size)}
    if any(v is None for v in values.values()):
        return {**result, "words": "no prediction: a parameter has no finite value"}
    with np.errstate(all="ignore"):
        error = truth - np.log(form.predict(values, apart))
    inputs = [v for v in form.variables if v != form.response]
    old = np.stack([np.log(columns[v]) for v in inputs], 1)
    new = np.stack([np.log(apart[v]) for v in inputs], 1)
    log_y = np.log(columns[form.response])
    plane = np.linalg.lstsq(np.column_stack([np.ones(len(old)), old]), log_y, rcond=None)[0]
    plane_error = truth - np.column_stack([np.ones(len(new)), new]) @ plane
    size = np.maximum(old.std(axis=0), 1e-12)
    near = np.argmin((((new[:, None] - old[None]) / size) ** 2).sum(-1), axis=1)
    # new rows scatter as the fitted ones do; the parameters' own error comes on top and is not in
    spread = np.quantile(np.abs(found.residuals), level) * np.sqrt(1 + 1 / found.residuals.size)
    spread = max(spread, stats.norm.ppf(0.5 + level / 2) * 1e-8)
    return {
        **result,
        "rms_log_error": _rms(error),
        "bias": float(error.mean()),
        "rms_nearest_row": _rms(truth - log_y[near]),
        "rms_power_plane": _rms(plane_error),
        "share_inside_noise_band": float(np.mean(np.abs(error) <= spread)),
        "band": float(spread),
    }


def _rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(error**2)))


def _with(law: Law, held: dict[str, Any]) -> Law:
    checks = dict(law.checks)
    if "rms_log_error" in held:
        best = min(held["rms_nearest_row"], held["rms_power_plane"])
        checks["held_out"] = {
            "passed": held["rms_log_error"] <= best,
            "value": held["rms_log_error"],
            **held,
        }
    else:
        checks["held_out"] = {"passed": None, "value": None, **held}
    verdict = law.verdict
    if verdict == "supported" and not checks["held_out"]["passed"]:
        verdict = "not distinguishable"
    return Law(
        law.law,
        law.form,
        law.metric,
        law.arm,
        law.parameters,
        law.level,
        law.method,
        verdict,
        checks,
        law.rivals,
        law.data,
    )


def described(rows: Rows, columns: dict[str, np.ndarray], about: dict[str, Any]) -> dict[str, Any]:
    """What the law's `data` says of the rows."""
    return {
        **about,
        "rows": rows.total,
        "used": int(next(iter(columns.values())).size),
        "dropped": rows.dropped,
        "notes": rows.notes,
        "ranges": {n: [float(v.min()), float(v.max())] for n, v in columns.items()},
    }


def isoflop_outcome(
    rows: Rows,
    labels: dict[str, str],
    about: dict[str, Any],
    bootstrap: int,
    hold_out: str | None,
    level: float,
    seed: int,
) -> Outcome:
    """Fit `isoflop`; hold_out leaves whole rows out (budgets, as a rule) and predicts optima."""
    inside, _ = split(rows, hold_out)
    columns = {n: v[inside] for n, v in rows.columns.items()}
    size = "N" if "N" in columns else "D"
    found = isoflop.fit(columns["C"], columns[size], columns["L"], size, level)
    low, high = found.line.slope_interval(level)
    log_low, log_high = found.line.interval(0.0, level)
    exact = np.array([b.minimum.kind == "interior" for b in found.budgets])
    x = np.log([b.flops for b in found.budgets])[exact]
    y = np.array([b.minimum.x for b in found.budgets if b.minimum.kind == "interior"])
    samples = None
    if bootstrap:
        samples = _resampled(found, x, y, exact, bootstrap, seed)
        low, high = np.quantile(samples[:, 1], [(1 - level) / 2, (1 + level) / 2])
        log_low, log_high = np.quantile(samples[:, :1], [(1 - level) / 2, (1 + level) / 2], axis=0)
    spare = exact.sum() >= 4
    reason = (
        {}
        if spare
        else {
            n: f"{exact.sum()} interior optima give no honest interval"
            for n in ("coefficient", "exponent")
        }
    )
    ends = ((float(np.exp(log_low[0])), float(np.exp(log_high[0]))), (float(low), float(high)))
    parameters = {
        name: Parameter(value, *(end if spare else (None, None)), bool(spare))
        for name, value, end in (
            ("coefficient", float(np.exp(found.line.intercept)), ends[0]),
            ("exponent", float(found.line.slope), ends[1]),
        )
    }
    bend = _bend(x, y)
    checks = {
        "identified": {"passed": bool(spare), "value": len(reason), "reasons": reason},
        "interior": {
            "passed": bool(exact.sum() >= 3),
            "value": int(exact.sum()),
            "budgets": len(found.budgets),
        },
        "straight": {
            "passed": None if bend is None else bend > 0.01,
            "value": bend,
            "words": "p of a quadratic term through the optima",
        },
        "needed": {"passed": not (ends[1][0] <= 0 <= ends[1][1]), "value": list(ends[1])},
    }
    judged = (
        "supported"
        if all(c["passed"] for c in checks.values())
        else (
            "not supported"
            if checks["straight"]["passed"] is False or not checks["needed"]["passed"]
            else "not distinguishable"
        )
    )
    data = described(rows, columns, about)
    data.update(
        budgets=[
            {
                "C": b.flops,
                "kind": b.minimum.kind,
                "optimum": None if b.minimum.x is None else float(np.exp(b.minimum.x)),
                "bound": None if b.minimum.bound is None else float(np.exp(b.minimum.bound)),
                "log_sd": b.minimum.sd,
            }
            for b in found.budgets
        ],
        skipped=found.skipped,
        loss_noise=found.noise,
        scatter=found.line.scatter,
    )
    how = (
        f"{bootstrap} bootstraps over budgets"
        if bootstrap
        else f"t with {found.line.degrees} degrees of freedom, scatter between budgets included"
    )
    law = Law(
        "isoflop",
        f"{size}* = coefficient · C^exponent",
        labels["L"],
        None,
        parameters,
        level,
        f"per-budget minimum of a smoothing spline in ln {size} (REML), then a "
        f"weighted line in logs; intervals: {how}",
        judged,
        checks,
        [],
        data,
    )
    return Outcome(law, columns, labels, isoflop=found)


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


def _resampled(found, x, y, exact, count, seed) -> np.ndarray:
    """(count, 2) of (intercept, slope): budgets drawn anew, each optimum within its own error."""
    random = np.random.default_rng(seed)
    sd = np.array([b.minimum.sd or 0.0 for b in found.budgets])[exact]
    weight = 1 / (sd**2 + found.line.scatter**2 + 1e-12)
    result = []
    while len(result) < count:
        at = random.integers(0, x.size, x.size)
        if np.unique(x[at]).size < 3:
            continue
        slope, intercept = np.polyfit(x[at], y[at], 1, w=np.sqrt(weight[at]))
        result.append((intercept, slope))
    return np.array(result)
