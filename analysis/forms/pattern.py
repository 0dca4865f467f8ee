"""Whether the residuals of a law show a pattern: bend along a variable, or resemble neighbours'."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from analysis.forms.fit import Fit, Problem
from analysis.forms.form import Form
from analysis.stats.on_scale import OnScale

# A pattern of less than SLIGHT of y (rms), and of less than SMALL of what y varies by, tells that the
# form isn't exact, as no form is; it doesn't contradict the law as a description.
SLIGHT, SMALL = 0.01, 0.1


def pattern(
    form: Form, problem: Problem, fit: Fit, columns: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Do the residuals bend along the variables, or resemble their neighbours'? At 1 % in all.

    The first is an F test of all quadratic (one variable: and cubic) terms in ln x, beyond what
    the law's own tangent space has used up; the second a permutation test against the nearest
    row, which sees steps too. Residuals are cut at 4 robust SDs, so that one
    outlier is no pattern; a pattern counts only if it takes a tenth of the residual variance:
    with very many rows anything is significant. "bend": the rms of what has the pattern, of y;
    "contradicted" where that isn't slight.
    """
    r = fit.residuals
    if np.sqrt(np.mean(r**2)) < 1e-9:
        return {"passed": True, "value": None, "finding": "no residuals to speak of"}
    middle = float(np.median(r))
    robust = 1.4826 * float(np.median(np.abs(r - middle)))
    r = np.clip(r, middle - 4 * robust, middle + 4 * robust) if robust > 0 else r
    logs = [np.log(columns[v]) for v in form.variables if v != form.response]
    logs = [(v - v.mean()) / v.std() for v in logs if v.std() > 1e-12]
    if not logs:
        return {"passed": None, "value": None, "finding": "no variable varies"}
    place = np.stack(logs, 1)
    bend, share = _bend(problem, fit, r, logs)
    if (
        problem.unit is not None
    ):  # what the rows of one unit share is no pattern: units are compared
        size = np.bincount(problem.unit)
        r = np.bincount(problem.unit, r) / size
        place = np.stack([np.bincount(problem.unit, v) / size for v in place.T], 1)
    alike, closer = _neighbours(r, place)
    if bend is None:
        return {"passed": None, "value": None, "finding": "too few rows to look for a pattern"}
    p = float(min(1.0, 2 * min(bend, alike)))
    large = share > 0.1 if bend <= alike else closer > 0.1
    # neighbours that differ less by a share c share c of their variance: about 1 - (1 - c)²
    part = max(share, 1 - (1 - max(closer, 0.0)) ** 2)
    bent = float(np.sqrt(part * np.mean(r**2)))
    # on the scale of y itself both are shares of y
    unit = float(np.sqrt(np.mean(problem.log_y**2))) if _linear(problem) else 1.0
    bent, spread = bent / unit, float(np.std(problem.log_y)) / unit
    found = p < 0.01 and large
    words = (
        f"polynomial terms explain {share:.0%} of the residual variance, "
        f"neighbours differ {closer:.0%} less than rows at random"
    )
    return {
        "passed": not found,
        "value": p,
        "contradicted": bool(found and (bent > SLIGHT or bent > SMALL * spread)),
        "bend": bent,
        "share": share,
        "neighbours": closer,
        "finding": words,
    }


def _linear(problem: Problem) -> bool:
    return isinstance(problem.model, OnScale) and problem.model.linear


def _bend(
    problem: Problem, fit: Fit, r: np.ndarray, logs: list[np.ndarray]
) -> tuple[float | None, float]:
    """(p, share of the variance) of polynomial terms outside the law's tangent space."""
    tangent = problem.model.derivatives(fit.optimum.theta[None])[1][0]
    basis = np.linalg.svd(
        tangent / np.maximum(np.linalg.norm(tangent, axis=0), 1e-300), full_matrices=False
    )
    used = basis[0][:, basis[1] > 1e-9]
    parts = [np.ones_like(r), *logs, *(a * b for i, a in enumerate(logs) for b in logs[i:])]
    if len(logs) == 1:
        parts.append(logs[0] ** 3)
    design = np.stack(parts, axis=1)
    design /= np.linalg.norm(design, axis=0)
    design -= used @ (used.T @ design)
    vectors, sizes, _ = np.linalg.svd(design, full_matrices=False)
    vectors = vectors[:, sizes > 1e-6]
    spare = r.size - used.shape[1] - vectors.shape[1]
    r = r - used @ (used.T @ r)
    if spare < 3 or not vectors.shape[1]:
        return None, 0.0
    explained, total = float(np.sum((vectors.T @ r) ** 2)), max(float(r @ r), 1e-300)
    if problem.unit is not None:  # Hotelling's test of the units' own contributions
        by_unit = np.stack([np.bincount(problem.unit, v * r) for v in vectors.T], 1)
        count, terms = by_unit.shape
        if count - terms < 3:
            return None, 0.0
        mean = by_unit.mean(0)
        size = count * mean @ np.linalg.pinv(np.cov(by_unit.T).reshape(terms, terms)) @ mean
        ratio = size * (count - terms) / (terms * (count - 1))
        return float(stats.f.sf(ratio, terms, count - terms)), explained / total
    ratio = explained / vectors.shape[1] / max((total - explained) / spare, 1e-300)
    return float(stats.f.sf(ratio, vectors.shape[1], spare)), explained / total


def _neighbours(r: np.ndarray, place: np.ndarray, permutations: int = 1999) -> tuple[float, float]:
    """(p, how much smaller) of the mean |difference| between each residual and the nearest other
    row's, against rows shuffled. Absolute differences: one jump must not hide what runs smoothly
    on either side of it."""
    from scipy.spatial import cKDTree

    nearest = cKDTree(place).query(place, k=2)[1]
    near = np.where(nearest[:, 0] == np.arange(r.size), nearest[:, 1], nearest[:, 0])
    seen = float(np.mean(np.abs(r - r[near])))
    random = np.random.default_rng(0)
    count = int(np.clip(2_000_000 // r.size, 199, permutations))
    shuffled = random.permuted(np.broadcast_to(r, (count, r.size)), axis=1)
    values = np.abs(shuffled - shuffled[:, near]).mean(axis=1)
    return (float(np.sum(values <= seen)) + 1) / (count + 1), 1 - seen / max(values.mean(), 1e-300)
