"""One arm, from cells to its law with checks: every number of the arm's entry in laws.json."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from analysis.gamma_star import verdict
from analysis.gamma_star.adequacy import LOCAL_WINDOW, misfit
from analysis.gamma_star.cells import Cells
from analysis.gamma_star.choices import Choices, parse_place
from analysis.gamma_star.curve_fit import fit_curves, usable
from analysis.gamma_star.depth_curves import depth_curve, empty, residual_table, without_curve
from analysis.gamma_star.depth_law import (
    LEAST_INTERIOR,
    bounded,
    depth_line,
    enough,
    p_of_zero,
    parameters,
    points_of,
    power_design,
    published,
)
from analysis.gamma_star.held_out import hold_out, left_out
from analysis.gamma_star.joint import joint
from analysis.gamma_star.learning_rate import rates_check
from analysis.gamma_star.more_runs import more_runs, more_sentence, needed
from analysis.gamma_star.optimum import degrees, optima
from analysis.gamma_star.prediction import (
    at_place,
    predicted_sentence,
    rolled_out,
    rolled_sentence,
)
from analysis.gamma_star.rate_law import rate_law
from analysis.gamma_star.rate_surface import surfaces
from analysis.gamma_star.records import GammaStarFit, held_sentence, optimum_json, rival_json
from analysis.gamma_star.rivals import offset_interval, rivals
from analysis.gamma_star.sign import Sign
from analysis.gamma_star.widths import interval_of_b
from analysis.stats.censored_line import regress
from analysis.tables.laws_json import Law, Parameter

FORM = "γ*(N) = a * N^-b"
METHOD = (
    "per-depth curve ({form}{window}), optimum with jackknife over seeds; ln γ* on ln N by "
    "weighted least squares with between-depth variance, HKSJ, K-2 degrees of freedom, optima at "
    "the grid's edge interval-censored"
)


def fit_arm(
    arm: str, groups: list[Cells], choices: Choices, checks: dict[str, dict[str, Any]],
    data: dict[str, Any], observed: pd.DataFrame, rates: pd.DataFrame, sign: Sign,
) -> GammaStarFit:  # fmt: skip
    """Fit one arm. checks: those made elsewhere (learning rate); observed: all the arm's runs with
    columns depth, width, run_id, gamma, seed, lr, value, y, status, used; rates: the choice of each
    depth's rate; sign: whether a law of gamma* is asked at all."""
    metric, form, window = choices.metric, choices.form, choices.window
    able = [cells for cells in groups if usable(cells, form)]
    fits = fit_curves(able, form, window)
    local = fit_curves([c for c in able if usable(c, "cubic")], "cubic", LOCAL_WINDOW)
    near = {(f.cells.depth, f.cells.width): f for f in local}
    known = optima(fits)
    curves = [
        depth_curve(f, o, metric, observed, misfit(f, near.get((o.depth, o.width)), len(fits)))
        for f, o in zip(fits, known, strict=True)
    ]
    curves += [
        without_curve(cells, metric, observed, form) for cells in groups if cells not in able
    ]
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
    data["sign"] = sign.to_json()
    if sign.check() is not None:
        checks["sign"] = sign.check()
    blank = {"a": Parameter(None, None, None, False), "b": Parameter(None, None, None, False)}
    line, found, held, cross, fitted = None, [], None, None, blank
    sentences: list[str] = [sign.finding] if sign.asked else []
    if sign.asked and enough(points):
        done = (observed["status"] == "completed").to_numpy()
        tuned = surfaces(observed[done], observed["y"].to_numpy(float)[done], fits)
        rate = rate_law(points, rates, tuned)
        data["rate"] = rate.to_json()
        if rate.at_optimum is not None:
            tuning = rates_check(rates, rate.at_optimum)
            checks["learning_rate"] = {**checks["learning_rate"], **tuning}
        if rate.undecided and checks["learning_rate"]["passed"]:
            asked = {"passed": None, "finding": rate.finding}
            checks["learning_rate"] = {**checks["learning_rate"], **asked}
        seen, points = points, rate.points or points
        design = power_design(points)
        law = regress(points, design)
        b = interval_of_b(points) if rate.points is None else rate.b_total.ends
        fitted = parameters(points, design) | {"b": bounded(*b)}
        line = depth_line(points, law)
        found = rivals(points, law)
        offset = offset_interval(points, law)
        hold = choices.hold_out
        predicted = hold_out(points, left_out(points, hold), hold, every)
        held = predicted[-1] if predicted else None
        as_run = regress(seen, power_design(seen)).coefficients
        cross = joint(
            fits, (as_run[0], as_run[1]), b[1:] if seen is points else interval_of_b(seen)[1:]
        )
        df = float(sum(degrees(f) for f in fits))
        missed = [c.depth for c in curves if not c.misfit.get("adequate", True)]
        checks |= verdict.of_law(points, law, b, df, missed, every, found, offset)
        data["held_out"] = [asdict(h) for h in predicted]
        sentences += [held_sentence(h) for h in predicted if hold != "deepest"]
        data["roll_out"] = rolled_out(points)
        if data["roll_out"] is not None:
            sentences.append(rolled_sentence(data["roll_out"]))
        if choices.predict is not None:
            data["predicted"] = at_place(points, law, parse_place(choices.predict))
            sentences.append(predicted_sentence(data["predicted"]))
        data["more_runs"] = more_runs(fits, every, law, b)
        if data["more_runs"] is not None:
            sentences.append(more_sentence(data["more_runs"]))
        data["between_depth_sd"] = law.tau
        data["published"] = published(points, law)
        data["p_b_is_0"] = p_of_zero(points, law, design)
        if cross is not None:
            data["joint"] = {"a": cross.a, "b": cross.b, "b_low": cross.b_low,
                             "b_high": cross.b_high, "agrees": cross.agrees}  # fmt: skip
            sentences.append(cross.sentence)
    elif sign.asked:
        inside = int(points.interior.sum())
        checks["slope"] = {"passed": False, "value": inside, "contradicted": False,
                           "finding": f"b is not identified: {inside} optima inside the grid, "
                                    f"{LEAST_INTERIOR} needed"}  # fmt: skip
        if choices.predict is not None:
            sentences.append(f"no prediction at {choices.predict}: b is not identified")
    entry = Law(
        law="gamma_star", form=FORM, metric=metric, arm=arm, parameters=fitted,
        method=METHOD.format(form=form, window=f", window {window:g}" if window else ""),
        checks=checks, rivals=[rival_json(r) for r in found], data=data,
    )  # fmt: skip
    return GammaStarFit(arm, metric, form, window, curves, line, entry, found, held, cross,
                        residual_table(fits, observed), sentences)  # fmt: skip


def with_verdict(fit: GammaStarFit, more: dict[str, dict[str, Any]], judged: bool) -> GammaStarFit:
    """The fit with the checks made over all arms and its verdict (None for an unfinished sweep)."""
    checks = {**fit.law.checks, **more}
    decided, reason = verdict.decide(checks, [c.optimum for c in fit.curves])
    law = replace(fit.law, checks=checks, verdict=decided if judged else None)
    more = fit.law.data.get("more_runs")
    if decided == "not distinguishable" and more is not None:
        reason += needed(more)
    rate = fit.law.data.get("rate")
    if rate is not None and rate["b_fixed"] is not None:
        reason = f"{reason}; {rate['finding']}"
    sentences = [reason if judged else "unfinished: no verdict", *fit.sentences]
    return replace(fit, law=law, sentences=sentences)
