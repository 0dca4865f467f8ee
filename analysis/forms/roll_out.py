"""Every size predicted from the smaller ones alone: how far a law carries, step by step.

Guarantee: no row of a size or above takes part in its prediction. A step at which the smaller sizes
do not determine the law is counted, not predicted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.forms.fit import Fit, Problem
from analysis.forms.form import Form
from analysis.stats.losses import Loss
from analysis.stats.optimise import minimise
from analysis.stats.search import take

MOST = 10  # steps: more sizes than these are taken together
LEAST_BELOW = 3  # sizes that a prediction rests on
MANY_ROWS = 3000  # above this a sample of the rows is rolled out
LARGEST_SE = np.log(2.0)  # of a prediction: where it is larger the smaller sizes determine nothing


def rolled_out(
    form: Form, problem: Problem, plain: Problem, found: Fit, columns: dict[str, np.ndarray]
) -> dict[str, Any] | None:
    """The law's steps over its first variable and the rms error of ln y over all rows predicted; None
    where there are too few sizes. plain: the problem on ln y, without weights."""
    name = form.variables[0]
    rows = np.arange(columns[name].size)
    if rows.size > MANY_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MANY_ROWS, replace=False))
    size = columns[name][rows]
    sizes = np.unique(size)
    step = np.searchsorted(sizes, size) * min(MOST, sizes.size) // sizes.size
    p = problem.model.size
    todo = [
        k for k in range(1, int(step.max()) + 1)
        if np.unique(size[step < k]).size >= LEAST_BELOW and (step < k).sum() >= p + 2
    ]  # fmt: skip
    if not todo:
        return None
    below = step < np.array(todo)[:, None]
    theta = _fitted(problem, rows, found, below)
    model, log_y = take(plain.model, rows), plain.log_y[rows]
    log_f, jac, _ = model.derivatives(theta)
    inputs = [np.log(columns[v][rows]) for v in form.variables if v != form.response]
    plane = np.column_stack([np.ones(rows.size), *inputs])
    steps, errors, naive = [], [], []
    for b, k in enumerate(todo):
        new, old = step == k, below[b]
        error = log_y[new] - log_f[b, new]
        if not np.isfinite(error).all() or _se(jac[b], log_y - log_f[b], old, new) > LARGEST_SE:
            continue
        flat = np.linalg.lstsq(plane[old], log_y[old], rcond=None)[0]
        errors.append(error)
        naive.append(log_y[new] - plane[new] @ flat)
        steps.append({"from": float(size[new].min()), "to": float(size[new].max()),
                      "rows": int(new.sum()), "below": int(old.sum()),
                      "rms": _rms(error), "bias": float(error.mean())})  # fmt: skip
    told = bool(steps)
    return {
        "variable": name, "steps": steps, "untold": len(todo) - len(steps),
        "rms": _rms(np.concatenate(errors)) if told else None,
        "rms_power_plane": _rms(np.concatenate(naive)) if told else None,
    }  # fmt: skip


def _fitted(problem: Problem, rows: np.ndarray, found: Fit, below: np.ndarray) -> np.ndarray:
    """θ (B, p) of each step: the rows below it alone. From the whole fit's optimum, all steps side by
    side; on a ridge that would lend them what the larger sizes know, and `_se` leaves those out."""
    model, log_y = take(problem.model, rows), problem.log_y[rows]
    loss = Loss("l2") if found.loss.kind == "lad" else found.loss
    start = np.repeat(found.optimum.theta[None], len(below), 0)
    weight = below.astype(float)
    return minimise(model, start, log_y, weight, loss, iterations=100).theta


def _se(jac: np.ndarray, residual: np.ndarray, old: np.ndarray, new: np.ndarray) -> float:
    """The standard error of the new rows' prediction (median), infinite on a ridge."""
    size = np.maximum(np.linalg.norm(jac[old], axis=0), 1e-300)
    if not np.isfinite(jac).all():
        return np.inf
    _, lengths, turned = np.linalg.svd(jac[old] / size, full_matrices=False)
    # what the smaller rows leave open matters only where the new rows ask for it
    inverse = turned.T / np.maximum(lengths, 1e-9)
    spare = max(int(old.sum()) - jac.shape[1], 1)
    noise = np.sqrt(np.sum(residual[old] ** 2) / spare)
    return float(np.median(np.linalg.norm(jac[new] / size @ inverse, axis=1)) * noise)


def _rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(error**2)))
