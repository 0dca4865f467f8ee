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
from analysis.laws.gamma_star.curve_fit import CurveFit, fit_curves, usable
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
from analysis.laws.gamma_star.held_out import chosen, hold_out
from analysis.laws.gamma_star.joint import joint
from analysis.laws.gamma_star.metrics import unscale
from analysis.laws.gamma_star.optimum import degrees, optima, untold
from analysis.laws.gamma_star.outcome import (
    DepthCurve,
    DepthLine,
    GammaStarFit,
    HeldOut,
    Optimum,
    RivalFit,
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


def held_words(h: HeldOut) -> str:
    """A held-out depth in a sentence: prediction, interval, error against naive rivals."""
    said = (f"held out ({h.condition}) depth {h.depth}: predicted {h.predicted:.3g} "
            f"[{h.low:.3g}, {h.high:.3g}]")  # fmt: skip
    if h.observed is None:
        return f"{said}, no optimum inside the grid there"
    rest = ", ".join(f"{name} {100 * np.expm1(v):.0f} %" for name, v in h.naive.items())
    return (f"{said}, seen {h.observed:.3g} ({'inside' if h.inside else 'OUTSIDE'}); off by "
            f"{100 * np.expm1(h.log_error):.0f} % ({rest})")  # fmt: skip


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


def depth_curve(fit: CurveFit, best: Optimum, metric: str, observed: pd.DataFrame,
                lack: dict[str, Any]) -> DepthCurve:  # fmt: skip
    """The curve in the metric's unit with a pointwise 95 % band."""
    cells = fit.cells
    gamma = np.exp(np.linspace(*fit.hull, 160))
    y = fit.value(gamma)
    sd = np.sqrt(np.nan_to_num(fit.jackknife(fit.value(gamma, fit.p_without))))
    reach = np.minimum(student.ppf(0.975, degrees(fit)) * sd, 20.0)
    fitted, one, other = (unscale(v, metric) for v in (y, y - reach, y + reach))
    mine = here(observed, cells.depth, cells.width)
    zero = mine[(mine["gamma"] == 0) & mine["used"]]["value"]
    names = ("ln_gamma_star", "ln_alpha", "ln_beta", "h", "logit_floor", "ln_g0")
    if fit.form != "two_sided":
        names = tuple(f"c{i}" for i in range(len(fit.p)))
    return DepthCurve(
        cells.depth, cells.width, metric, gamma, fitted, np.minimum(one, other),
        np.maximum(one, other), mine, float(zero.mean()) if len(zero) else None, best, fit.form,
        {n: float(v) for n, v in zip(names, fit.p, strict=True)}, lack,
    )  # fmt: skip


def here(observed: pd.DataFrame, depth: int, width: int) -> pd.DataFrame:
    """The runs of one depth."""
    mine = observed[(observed["depth"] == depth) & (observed["width"] == width)]
    return mine.drop(columns=["depth", "width"]).reset_index(drop=True)


def bare(cells: Cells, metric: str, observed: pd.DataFrame, form: str) -> DepthCurve:
    """A depth with too few gammas, or no variation, for a curve."""
    count = int(cells.positive.sum())
    mean, weight = cells.means()
    flat = np.ptp(mean[weight > 0]) <= 1e-9
    why = f"the {metric} doesn't vary" if flat else f"{count} gammas above 0 are too few for a curve"
    return empty(cells.depth, cells.width, metric, observed, form, why)


def empty(depth: int, width: int, metric: str, observed: pd.DataFrame, form: str,
          why: str = "no run converged with a gamma of 0 or above") -> DepthCurve:  # fmt: skip
    """A depth that has runs but no curve."""
    none = np.array([])
    return DepthCurve(depth, width, metric, none, none, none, none, here(observed, depth, width),
                      None, untold(depth, width, why), form, {}, {})  # fmt: skip


def optimum_json(o: Optimum) -> dict[str, Any]:
    """A depth's optimum in laws.json."""
    names = ("depth", "width", "kind", "gamma", "low", "high", "bound_low", "bound_high",
             "plateau_low", "plateau_high", "epsilon", "best", "log_se")  # fmt: skip
    return {name: getattr(o, name) for name in names}


def rival_json(r: RivalFit) -> dict[str, Any]:
    """A rival in laws.json."""
    return {"name": r.name, "nested": r.nested, "delta_ic": r.delta_ic, "excluded": r.excluded,
            "parameters": r.parameters, "words": r.words}  # fmt: skip


def residual_table(fits: list[CurveFit], observed: pd.DataFrame) -> pd.DataFrame:
    """Residuals of the used runs on the fitting scale."""
    columns = ["depth", "width", "gamma", "seed", "lr", "fitted", "residual", "standardised"]
    parts = []
    for fit in fits:
        cells = fit.cells
        mine = observed[(observed["depth"] == cells.depth) & (observed["width"] == cells.width)
                        & observed["used"]]  # fmt: skip
        index = np.searchsorted(cells.gamma, mine["gamma"].to_numpy(float))
        kept = fit.keep[np.minimum(index, len(cells.gamma) - 1)]
        mine, index = mine[kept], index[kept]
        fitted = fit.value(cells.gamma[index])
        residual = mine["y"].to_numpy(float) - fitted
        part = mine[["depth", "width", "gamma", "seed", "lr"]].assign(
            fitted=fitted, residual=residual,
            standardised=residual / np.sqrt(cells.variance[index]),
        )  # fmt: skip
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
