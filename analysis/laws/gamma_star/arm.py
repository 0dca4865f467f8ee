"""One arm, from cells to its law with checks: every number of the arm's entry in laws.json."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import f as fisher
from scipy.stats import t as student

from analysis.laws.gamma_star import verdict
from analysis.laws.gamma_star.adequacy import LOCAL_WINDOW, misfit
from analysis.laws.gamma_star.cells import Cells
from analysis.laws.gamma_star.curve_fit import fit_curves, usable
from analysis.laws.gamma_star.depth_curves import bare, depth_curve, empty, residual_table
from analysis.laws.gamma_star.depth_law import (
    LEAST_INTERIOR,
    Points,
    Regression,
    design_at,
    interval,
    points_of,
    power_design,
    regress,
)
from analysis.laws.gamma_star.entries import held_words, optimum_json, rival_json
from analysis.laws.gamma_star.held_out import chosen, hold_out
from analysis.laws.gamma_star.joint import joint
from analysis.laws.gamma_star.optimum import degrees, optima
from analysis.laws.gamma_star.outcome import (
    DepthLine,
    GammaStarFit,
)
from analysis.laws.gamma_star.rivals import offset_interval, rivals
from analysis.laws.result import Law, Parameter

PUBLISHED = (4.17, 0.74)  # arXiv 2602.04902, abstract
FORM = "gamma*(N) = a * N^-b"
METHOD = (
    "per-depth curve ({form}{window}), optimum with jackknife over seeds; ln gamma* on ln N by "
    "weighted least squares with between-depth variance, HKSJ, K-2 degrees of freedom, optima at "
    "the grid's edge interval-censored"
)


def fit_arm(
    arm: str, groups: list[Cells], metric: str, form: str, window: float | None,
    checks: dict[str, dict[str, Any]], data: dict[str, Any], hold: str,
    observed: pd.DataFrame,
) -> GammaStarFit:  # fmt: skip
    """Fit one arm. checks: those made elsewhere (learning rate); observed: all the arm's runs with
    columns depth, width, run_id, gamma, seed, lr, value, status, used."""
    able = [cells for cells in groups if usable(cells, form)]
    fits = fit_curves(able, form, window)
    local = fit_curves([c for c in able if usable(c, "cubic")], "cubic", LOCAL_WINDOW)
    near = {(f.cells.depth, f.cells.width): f for f in local}
    known = optima(fits)
    curves = [
        depth_curve(f, o, metric, observed, misfit(f, near.get((o.depth, o.width)), len(fits)))
        for f, o in zip(fits, known, strict=True)
    ]
    curves += [bare(cells, metric, observed, form) for cells in groups if cells not in able]
    seen = {(c.depth, c.width) for c in curves}
    lost = observed[["depth", "width"]].drop_duplicates().itertuples(index=False)
    curves += [empty(int(d), int(w), metric, observed, form) for d, w in lost if (d, w) not in seen]
    curves.sort(key=lambda c: (c.width, c.depth))
    every = [c.optimum for c in curves]
    points = points_of(every)
    data = {
        **data, "depths": len({o.depth for o in every}),
        "interior_optima": sum(o.kind == "interior" for o in every),
        "censored_optima": sum(o.kind in ("left", "right") for o in every),
        "optima": [optimum_json(o) for o in every],
        "curves_r2": [c.misfit.get("r2") for c in curves],
    }  # fmt: skip
    checks = {"depths": verdict.depths_enough(every), **checks}
    blank = {"a": Parameter(None, None, None, False), "b": Parameter(None, None, None, False)}
    line, found, held, cross, parameters = None, [], None, None, blank
    words: list[str] = []
    if enough(points):
        design = power_design(points)
        law = regress(points, design)
        b = interval(points, design, 1)
        parameters = named(points, design)
        line = depth_line(points, law)
        found = rivals(points, law)
        offset = offset_interval(points, law)
        left_out = hold_out(points, chosen(points, hold), hold, every)
        held = left_out[-1] if left_out else None
        deepest = hold_out(points, chosen(points, "deepest"), "deepest", every)
        cross = joint(fits, (law.coefficients[0], b[0]), b[1:])
        df = float(sum(degrees(f) for f in fits))
        checks |= {
            "equivalence": verdict.equivalence(points, law, df, curves),
            "rivals": verdict.against_rivals(
                found, offset, b, verdict.constant_will_do(points, df)
            ),
            "held_out": verdict.holds_out(deepest[-1] if deepest else None),
            "stable": verdict.stable(points, b),
        }
        data["held_out"] = [asdict(h) for h in left_out]
        words += [held_words(h) for h in left_out if hold != "deepest"]
        data["between_depth_sd"] = law.tau
        data["published"] = published(points, law)
        data["p_b_is_0"] = p_of_zero(points, law, design)
        if cross is not None:
            data["joint"] = {"a": cross.a, "b": cross.b, "b_low": cross.b_low,
                             "b_high": cross.b_high, "agrees": cross.agrees}  # fmt: skip
            words.append(cross.words)
    else:
        inside = int(points.interior.sum())
        checks["slope"] = {"passed": False, "value": inside, "contradicted": False,
                           "words": f"b is not identified: {inside} optima inside the grid, "
                                    f"{LEAST_INTERIOR} needed"}  # fmt: skip
    entry = Law(
        law="gamma_star", form=FORM, metric=metric, arm=arm, parameters=parameters,
        method=METHOD.format(form=form, window=f", window {window:g}" if window else ""),
        checks=checks, rivals=[rival_json(r) for r in found], data=data,
    )  # fmt: skip
    return GammaStarFit(arm, metric, form, window, curves, line, entry, found, held, cross,
                        residual_table(fits, observed), words)  # fmt: skip


def enough(points: Points) -> bool:
    """Whether a slope may be given: 3 interior optima at 3 depths, and a design of full rank."""
    inside = points.interior
    if inside.sum() < LEAST_INTERIOR or len(set(points.depth[inside])) < LEAST_INTERIOR:
        return False
    design = power_design(points)[inside]
    return bool(np.linalg.matrix_rank(design) == design.shape[1] and len(design) > design.shape[1])


def named(points: Points, design: np.ndarray) -> dict[str, Parameter]:
    """a, b (and c, the width's exponent) with intervals."""
    out = {}
    for i, name in enumerate(("a", "b", "c")[: design.shape[1]]):
        value, low, high = interval(points, design, i)
        if name == "a":
            value, low, high = (float(np.exp(np.clip(v, -700, 700))) for v in (value, low, high))
        fixed = bool(np.isfinite(low) and np.isfinite(high) and high < 1e300)
        out[name] = Parameter(value, low if np.isfinite(low) else None,
                              high if np.isfinite(high) and high < 1e300 else None, fixed)  # fmt: skip
    return out


def judge(fit: GammaStarFit, more: dict[str, dict[str, Any]], judged: bool) -> GammaStarFit:
    """The fit with the checks made over all arms and its verdict (None for an unfinished sweep)."""
    checks = {**fit.law.checks, **more}
    decided, reason = verdict.decide(checks, [c.optimum for c in fit.curves])
    law = replace(fit.law, checks=checks, verdict=decided if judged else None)
    words = [reason if judged else "unfinished: no verdict", *fit.words]
    return replace(fit, law=law, words=words)


def p_of_zero(points: Points, law: Regression, design: np.ndarray) -> float | None:
    """p of b = 0, by the test whose inversion is b's interval."""
    if law.df < 1:
        return None
    if points.interior.all():
        t = law.coefficients[1] / np.sqrt(law.covariance[1, 1])
        return float(2 * student.sf(abs(t), law.df))
    held = regress(points, np.delete(design, 1, axis=1), tau2=law.tau**2)
    k = int(points.interior.sum())
    gap = max(2 * (law.log_likelihood - held.log_likelihood), 0.0)
    return float(2 * student.sf(np.sqrt(np.expm1(min(gap / k, 50.0)) * law.df), law.df))


def published(points: Points, law: Regression) -> dict[str, Any]:
    """The published pair tested jointly: F(2, K - 2) on (ln a, b)."""
    if law.df < 1 or len(law.coefficients) != 2:
        return {"a": PUBLISHED[0], "b": PUBLISHED[1], "p": None, "excluded": None}
    gap = law.coefficients - np.array([np.log(PUBLISHED[0]), PUBLISHED[1]])
    if points.interior.all():
        statistic = float(gap @ np.linalg.pinv(law.covariance) @ gap) / 2
    else:
        held = regress(points, np.zeros((len(points.depth), 0)),
                       offset=design_at(points.depth, points.width, False)
                       @ (law.coefficients - gap), tau2=law.tau**2)  # fmt: skip
        k = int(points.interior.sum())
        deviance = 2 * (law.log_likelihood - held.log_likelihood)
        statistic = float(np.expm1(min(deviance / k, 50.0))) * law.df / 2
    p = float(fisher.sf(statistic, 2, law.df))
    return {"a": PUBLISHED[0], "b": PUBLISHED[1], "p": p, "excluded": p < 0.05}


def depth_line(points: Points, law: Regression, level: float = 0.95) -> DepthLine:
    """The law on a fine grid of depths, at the median width, with both bands."""
    depth = np.geomspace(points.depth.min(), points.depth.max() * 1.3, 80)
    width = np.full(80, float(np.median(points.width)))
    row = design_at(depth, width, len(law.coefficients) > 2)
    centre = row @ law.coefficients
    reach = student.ppf(0.5 + level / 2, law.df) if law.df > 0 else np.inf
    variance = np.einsum("ni,ij,nj->n", row, law.covariance, row)
    new = variance + law.sigma2 * float(np.median(law.variance))
    band, wide = (np.minimum(reach * np.sqrt(v), 50) for v in (variance, new))
    return DepthLine(int(width[0]), depth, np.exp(centre), np.exp(centre - band),
                     np.exp(centre + band), np.exp(centre - wide), np.exp(centre + wide))  # fmt: skip
