"""Rows held out, predicted by a law that never saw them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

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
