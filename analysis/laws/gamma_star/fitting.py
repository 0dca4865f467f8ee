"""A whole table: every arm under the frozen primary choice, and what the arms say together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.laws import fungibility
from analysis.laws.fungibility import Fungibility
from analysis.laws.gamma_star import attribution, learning_rate, outcomes, remarks
from analysis.laws.gamma_star.arm import fit_arm, judge
from analysis.laws.gamma_star.cells import cells_of
from analysis.laws.gamma_star.curve import FORMS
from analysis.laws.gamma_star.metrics import Scaled, scale
from analysis.laws.gamma_star.outcome import FitResult, GammaStarFit
from analysis.laws.gamma_star.specification import COLUMNS as SPECIFIED
from analysis.laws.gamma_star.specification import Specification, curve_of_choices
from analysis.laws.gamma_star.training_time import COLUMNS as OVER_TIME
from analysis.laws.gamma_star.training_time import over_time, read_curves
from analysis.table import Table

PRIMARY_FORM = "two_sided"


def fit_table(
    table: Table, metric: str | None = None, form: str | None = None,
    window: float | None = None, partial: bool = False, hold_out: str = "deepest",
    explore: bool = True,
) -> FitResult:  # fmt: skip
    """Fit gamma*(N) to every arm.

    metric, form, window: by default the sweep's frozen ones. partial: fit what is there of an
    unfinished sweep, without a verdict. hold_out: "deepest" or a condition on depth and width.
    explore: also the specification curve, the fit over training time and fungibility.
    Raises InputError for an unfinished sweep without `partial`, and for unknown choices.
    """
    metric = metric or table.choice.metric
    form = form or table.choice.form or PRIMARY_FORM
    window = window if window is not None else table.choice.window
    frozen = (table.choice.metric, table.choice.form or PRIMARY_FORM, table.choice.window)
    if form not in FORMS:
        raise InputError(f"form {form!r} is none of {', '.join(FORMS)}")
    lacking = table.expected - len(table.runs)
    missing = max(len(table.missing), lacking)
    if missing and not partial:
        raise InputError(f"{table.path}: {missing} of {table.expected} runs are missing "
                         f"({name_missing(table)}); --partial fits what is there, without a "
                         f"verdict")  # fmt: skip
    runs, notes = of_known_gamma(table.runs)
    if missing:
        notes.append(f"unfinished: {missing} of {table.expected} runs are missing "
                     f"({name_missing(table)}); no verdict is given")  # fmt: skip
    if table.from_sweep and frozen != (metric, form, window):
        notes.append(f"{metric}, {form} is not the choice frozen before the sweep ran "
                     f"({frozen[0]}, {frozen[1]}): exploratory")  # fmt: skip
    arms: dict[str, GammaStarFit] = {}
    parts: dict[str, tuple[pd.DataFrame, learning_rate.Rates]] = {}
    for arm in runs["arm"].drop_duplicates():
        part = runs[runs["arm"] == arm].reset_index(drop=True)
        scaled = scale(part, metric)
        rates = learning_rate.choose(part, scaled.y, table.choice.tuning_seeds)
        parts[arm] = part, rates
        arms[arm] = fit_one(arm, part, rates, scaled, metric, form, window, hold_out, table)
    reading = attribution.attribute(arms)
    adjusted = holm(arms)
    for arm, fit in arms.items():
        more = {"attribution": attribution.check(arm, reading), "holm": adjusted.get(arm)}
        arms[arm] = judge(fit, {k: v for k, v in more.items() if v}, not missing)
    reading["arms"] = {arm: fit.law.verdict or "no verdict" for arm, fit in arms.items()}
    explored = explore_all(table, parts, Specification(metric, form, window, "left out"), explore)
    for arm, found in explored["fungibility"].items():
        arms[arm].law.data["exchange"] = {"defined": found.defined, "words": found.words}
    for fit in arms.values():
        fit.law.data["attribution"] = reading["verdict"]
    divergence, formation = outcomes.divergence(runs), outcomes.formation(runs)
    bimodal = [arm for arm, fit in arms.items() if fit.law.data["bimodal"]]
    notes += [remarks.on_rates(arm, rates) for arm, (_, rates) in parts.items()]
    notes += remarks.on_divergence(divergence, explored["specification"])
    notes += remarks.on_formation(formation, bimodal, explored["specification"])
    notes += remarks.on_choices(explored["specification"])
    rates_table = [rates.table.assign(arm=arm) for arm, (_, rates) in parts.items()]
    return FitResult(
        laws=[f.law for f in arms.values()], arms=arms, metric=metric, form=form, window=window,
        attribution=reading, divergence=divergence, formation=formation,
        learning_rates=pd.concat(rates_table, ignore_index=True), notes=notes,
        partial=bool(missing), **explored,
    )  # fmt: skip


def holm(arms: dict[str, GammaStarFit]) -> dict[str, dict[str, Any]]:
    """b = 0 tested in every arm that has a slope, adjusted over arms (Holm 1979)."""
    known = {a: f.law.data["p_b_is_0"] for a, f in arms.items()
             if f.law.data.get("p_b_is_0") is not None}  # fmt: skip
    if len(known) < 2:  # b's own interval is the test then
        return {}
    from statsmodels.stats.multitest import multipletests

    passed, p, *_ = multipletests(list(known.values()), alpha=0.05, method="holm")
    return {
        arm: {"passed": bool(ok), "value": float(v), "contradicted": False,
              "words": f"b = 0 over {len(known)} arms (Holm): p = {v:.2g}"}
        for arm, ok, v in zip(known, passed, p, strict=True)
    }  # fmt: skip


def explore_all(table: Table, parts: dict, primary: Specification, wanted: bool) -> dict[str, Any]:
    """The specification curve, b over training time, and fungibility, for every arm."""
    if not wanted:
        return {"specification": pd.DataFrame(columns=list(SPECIFIED)), "fungibility": {},
                "training_time": pd.DataFrame(columns=OVER_TIME)}  # fmt: skip
    curves = read_curves(table.curves_path)
    choices, times, exchanges = [], [], {}
    zeros = next((p for p, _ in parts.values() if (p["gamma"] == 0).any()), None)
    for arm, (part, rates) in parts.items():
        choices.append(curve_of_choices(arm, part, rates.use, primary))
        if curves is not None:
            times.append(over_time(arm, part, rates.use, curves, primary))
        found = fungible(arm, part, rates, primary.metric, zeros)
        if found is not None:
            exchanges[arm] = found
    nothing = pd.DataFrame(columns=OVER_TIME)
    return {
        "specification": pd.concat(choices, ignore_index=True), "fungibility": exchanges,
        "training_time": pd.concat(times, ignore_index=True) if times else nothing,
    }  # fmt: skip


def fungible(arm: str, part: pd.DataFrame, rates: learning_rate.Rates, metric: str,
             zeros: pd.DataFrame | None) -> Fungibility | None:  # fmt: skip
    """Momentum in layers for one arm; None where there is no momentum (the gain alone), widths
    vary or the metric can't be exchanged."""
    if arm == attribution.GAIN_ONLY or part["width"].nunique() > 1 or metric == "steps_to_solve":
        return None
    cells = done(part, scale(part, metric), rates.use, metric)
    own = any(c.gamma[0] == 0 for c in cells)
    base = cells if own or zeros is None else done(zeros, scale(zeros, metric), None, metric)
    priced = [c for c in ("flops", "params") if c in part.columns and part[c].notna().all()]
    costs = part.groupby("depth", as_index=False)[priced].median() if priced else None
    return fungibility.exchange(arm, metric, cells, base, costs)


def done(part: pd.DataFrame, scaled: Scaled, use: np.ndarray | None, metric: str):
    """Cells of completed runs (at the chosen rates)."""
    keep = (part["status"] == "completed").to_numpy()
    return cells_of(part, scaled, keep if use is None else keep & use)


def name_missing(table: Table) -> str:
    """The first missing runs in words."""
    if not table.missing:
        return "not named by the table"
    keys = ("arm", "depth", "gamma", "lr", "seed", "reason")
    shown = [", ".join(f"{k}={m[k]}" for k in keys if m.get(k) is not None)
             for m in table.missing[:3]]  # fmt: skip
    more = len(table.missing) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def of_known_gamma(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Runs with a set gamma of 0 or above; what was set aside, in words."""
    notes = []
    for name, out in (
        ("learned gamma", runs["gamma"].isna()),
        ("gamma below 0", runs["gamma"] < 0),
    ):
        if out.any():
            notes.append(f"{int(out.sum())} runs with {name} are not part of the curves")
    kept = runs[runs["gamma"] >= 0]
    if kept.empty:
        raise InputError("no run has a gamma of 0 or above: nothing to fit")
    return kept.reset_index(drop=True), notes


def fit_one(arm: str, part: pd.DataFrame, chosen: learning_rate.Rates, scaled: Scaled,
            metric: str, form: str, window: float | None, hold_out: str,
            table: Table) -> GammaStarFit:  # fmt: skip
    """One arm at its chosen rates, diverged runs left out (the law conditional on convergence)."""
    used = chosen.use & (part["status"] == "completed").to_numpy() & np.isfinite(scaled.y)
    observed = pd.DataFrame({
        "depth": part["depth"], "width": part["width"], "run_id": part["run_id"],
        "gamma": part["gamma"], "seed": part["seed"], "lr": part["lr"], "value": part[metric],
        "y": scaled.y, "status": part["status"], "used": used,
    })  # fmt: skip
    data: dict[str, Any] = {
        "runs": int(used.sum()), "table_runs": len(part), "expected": table.expected,
        "missing": len(table.missing), "seeds": int(part["seed"][used].nunique()),
        "diverged": int((part["status"] == "diverged").sum()),
        "failed": int((part["status"] == "failed").sum()),
        "other_rates": int((~chosen.use).sum()), "bimodal": outcomes.bimodal(part[chosen.use]),
    }  # fmt: skip
    checks = {"learning_rate": {"contradicted": False, **chosen.check}}
    groups = cells_of(part, scaled, used)
    return fit_arm(arm, groups, metric, form, window, checks, data, hold_out, observed)
