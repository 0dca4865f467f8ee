"""Rows held out, predicted by a law that never saw them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from analysis.errors import InputError
from analysis.forms.fit import Fit
from analysis.forms.form import Form
from analysis.tables.laws_json import Law


def predicted(form: Form, law: Law, found: Fit, columns, apart, level, text) -> dict[str, Any]:
    """How well the held-out rows are predicted, against the nearest row and a log-log plane."""
    values = {n: p.estimate for n, p in law.parameters.items()}
    truth = np.log(apart[form.response])
    result: dict[str, Any] = {"condition": text, "rows": int(truth.size)}
    if any(v is None for v in values.values()):
        return {**result, "finding": "no prediction: a parameter has no finite value"}
    with np.errstate(all="ignore"):
        error = truth - np.log(form.predict(values, apart))
    lost = int((~np.isfinite(error)).sum())
    if lost:
        of = f"{lost} of {truth.size} rows held out"
        return {**result, "finding": f"the law is not positive at {of}", "contradicted": True}
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


def at_point(
    form: Form, law: Law, found: Fit, point: dict[str, float], seed: int = 0
) -> dict[str, Any]:
    """A new row's response at `point` (every variable but the response): estimate, low and high at
    the law's level. Each bootstrap replicate predicts, a residual drawn from the fitted ones on top
    (widened by √(n/(n - p)), for what the parameters took of them)."""
    values = {n: p.estimate for n, p in law.parameters.items()}
    if lost := [n for n, v in values.items() if v is None]:
        raise InputError(f"--predict: {lost[0]} has no finite value")
    columns = {n: np.array([v]) for n, v in point.items()}

    def value(parameters: dict[str, float]) -> float:
        with np.errstate(all="ignore"):
            return float(np.broadcast_to(form.predict(parameters, columns), 1)[0])

    estimate = value(values)
    rows = np.transpose([e.samples for e in found.estimates])
    drawn = np.array([value(dict(zip(values, map(float, row), strict=True))) for row in rows])
    n, p = found.residuals.size, found.optimum.theta.size
    # many draws of the noise a replicate, so that the quantiles rest on more than one each
    noise = np.random.default_rng(seed).choice(found.residuals, (drawn.size, 50))
    with np.errstate(all="ignore"):
        log_new = np.log(drawn)[:, None] + noise * np.sqrt(n / max(n - p, 1))
    tail = (1 - law.level) / 2
    told = np.isfinite(log_new).all() and np.isfinite(estimate) and estimate > 0
    low, high = np.exp(np.quantile(log_new, [tail, 1 - tail])) if told else (None, None)
    return {"point": point, "estimate": estimate, "low": low, "high": high,
            "replicates": int(drawn.size)}  # fmt: skip


def parse_point(text: str, form: Form) -> dict[str, float]:
    """ "N=1e9,D=2e10" -> a value for each variable. Raises InputError."""
    need = [v for v in form.variables if v != form.response]
    try:
        pairs = [part.split("=") for part in text.split(",")]
        point = {name.strip(): float(value) for name, value in pairs}
    except ValueError:
        point = {}
    if set(point) != set(need) or not all(np.isfinite(v) and v > 0 for v in point.values()):
        asked = ",".join(f"{n}=NUMBER" for n in need)
        raise InputError(f"--predict {text!r}: {form.name} needs {asked}, positive")
    return point


def _rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(error**2)))


def with_prediction(law: Law, held: dict[str, Any]) -> Law:
    """The law with the check of what was held out, and the verdict that is left."""
    checks, held = dict(law.checks), dict(held)
    if "rms_log_error" in held:
        best = min(held["rms_nearest_row"], held["rms_power_plane"])
        checks["held_out"] = {
            "passed": held["rms_log_error"] <= best,
            "value": held["rms_log_error"],
            **held,
        }
    else:
        passed = False if held.pop("contradicted", False) else None
        checks["held_out"] = {"passed": passed, "value": None, **held}
    verdict = law.verdict
    if verdict == "supported" and not checks["held_out"]["passed"]:
        verdict = "not distinguishable"
    return replace(law, checks=checks, verdict=verdict)
