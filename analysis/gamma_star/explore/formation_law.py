"""Where runs either form or don't there are two laws: of gamma_f(N), where most runs form, and of the
gamma* of those that formed. Mean loss mixes them, so neither may stand for the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from analysis.gamma_star.depth_law import Points, enough, parameters, power_design
from analysis.gamma_star.explore.specification import Specification, one
from analysis.tables.metrics import formed
from analysis.text import bracket, number

LEAST_GAMMAS = 4
HALF = 0.1  # pseudo-runs a cell, half of them formed: no rate of 0 or 1 is certain
NEAR = 2.0  # ln units around the peak whose rates of formation place it
ROUNDS = 4
WIDEST = 1.5  # SD of ln gamma_f past which a depth's peak is not known
BEYOND = 1.5  # ln units past the grid's edge at which a peak is still an estimate


def two_laws(runs: pd.DataFrame, use: np.ndarray, primary: Specification) -> dict[str, Any]:
    """{"formation": {"a", "b": [estimate, low, high], "peaks"}, "formed": {"a", "b"}}, None where not
    identified. use (R,): runs at the chosen rates."""
    done = runs[use & (runs["status"] == "completed").to_numpy()]
    found = peaks(done.assign(formed=formed(done)))
    law: dict[str, Any] = {"a": None, "b": None}
    if found is not None and enough(found):
        fitted = parameters(found, power_design(found))
        law = {k: [p.estimate, p.low, p.high] for k, p in fitted.items() if k in ("a", "b")}
    rows = (
        [] if found is None else zip(found.depth, found.width, found.value, found.se, strict=True)
    )
    law["peaks"] = [{"depth": int(n), "width": int(w), "gamma": float(np.exp(v)), "log_se": float(s)}
                    for n, w, v, s in rows]  # fmt: skip
    given = one(runs, use, Specification(primary.metric, primary.form, primary.window,
                                         "formed only"))  # fmt: skip
    known = not np.isnan(given["b"])
    return {"formation": law, "formed": {
        "a": float(given["a"]) if known else None,
        "b": [float(given[k]) for k in ("b", "low", "high")] if known else None,
    }}  # fmt: skip


def peaks(runs: pd.DataFrame) -> Points | None:
    """ln gamma_f of each depth: logit P(form) = level + slope x - x^2 / (2 s^2) in x = ln gamma, with a
    level and slope of each depth and one s for all; None without a peak."""
    part = runs[runs["gamma"] > 0]
    cells = part.groupby(["width", "depth", "gamma"])["formed"].agg(["sum", "size"]).reset_index()
    cells["x"] = np.log(cells["gamma"])
    found = None
    for _ in range(ROUNDS):
        cells = cells[cells.groupby(["width", "depth"])["x"].transform("size") >= LEAST_GAMMAS]
        if cells.empty:
            return None
        place = cells.groupby(["width", "depth"]).ngroup().to_numpy()
        found = one_bend(cells, place)
        if found is None:
            return None
        # a quadratic is true near the peak: what lies far out must not move it
        near = np.abs(cells["x"].to_numpy() - found[0][place]) <= NEAR
        if near.all():
            break
        cells = cells[near]
    peak, se, where = found
    ends = part.groupby(["width", "depth"])["gamma"].agg(["min", "max"]).apply(np.log)
    rows = [(v, max(s, 1e-4), -np.inf, np.inf, depth, width)
            for (width, depth), v, s in zip(where, peak, se, strict=True)
            if ends.loc[(width, depth), "min"] - BEYOND < v < ends.loc[(width, depth), "max"] + BEYOND
            and s < WIDEST]  # fmt: skip
    return Points(*np.array(rows, float).T) if rows else None


def one_bend(cells: pd.DataFrame, place: np.ndarray):
    """ln gamma_f (K,), its standard error (K,) and the (width, depth) of each place (n,); None where
    the rate of formation has no peak. cells: x, sum (of formed runs), size."""
    x, count = cells["x"].to_numpy(), place.max() + 1
    own = np.eye(count)[place]
    design = np.column_stack([own, own * x[:, None], x**2])
    hits = cells["sum"].to_numpy(float) + HALF / 2
    theta, covariance = logistic_fit(design, hits, cells["size"].to_numpy(float) + HALF)
    bend = -theta[-1]
    if bend <= 0:
        return None
    slope = theta[count : 2 * count]
    by = np.column_stack([np.zeros((count, count)), np.eye(count) / (2 * bend),
                          slope / (2 * bend**2)])  # fmt: skip
    where = cells.groupby(["width", "depth"]).size().index
    return slope / (2 * bend), np.sqrt(np.einsum("ki,ij,kj->k", by, covariance, by)), where


def logistic_fit(design: np.ndarray, hits: np.ndarray, runs: np.ndarray):
    """Maximum likelihood (p,) of a binomial model by Newton's method, and its covariance, widened
    where the cells scatter more than binomially."""
    theta = np.zeros(design.shape[1])
    for _ in range(50):
        p = expit(design @ theta)
        weight = np.maximum(runs * p * (1 - p), 1e-9)
        information = design.T @ (design * weight[:, None])
        step = np.linalg.lstsq(information, design.T @ (hits - runs * p), rcond=None)[0]
        theta = theta + np.clip(step, -3, 3)
        if np.abs(step).max() < 1e-8:
            break
    spare = max(len(hits) - len(theta), 1)
    excess = max(float(((hits - runs * p) ** 2 / weight).sum()) / spare, 1.0)
    return theta, excess * np.linalg.pinv(information)


def check(found: dict[str, Any]) -> dict[str, Any]:
    """Whether both laws say the same of depth: b known in both, of one sign, intervals that meet."""
    forms, formed_ = found["formation"]["b"], found["formed"]["b"]
    same = None not in (forms, formed_) and all(
        v is not None and np.isfinite(v) for b in (forms, formed_) for v in b
    )
    if same:
        same = forms[1] <= formed_[2] and formed_[1] <= forms[2]
        same = same and all(b[1] > 0 or b[2] < 0 for b in (forms, formed_))
    said = [f"b = {number(b[0])} {bracket(b[1], b[2])}" if b else "b not identified"
            for b in (forms, formed_)]  # fmt: skip
    return {"passed": bool(same), "value": [forms and forms[0], formed_ and formed_[0]],
            "contradicted": False,
            "finding": f"runs either form or don't: where most form, {said[0]}; among those that "
                       f"formed, {said[1]}"}  # fmt: skip
