"""A whole table: every arm under the frozen primary choice, and what the arms say together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.gamma_star import attribution, learning_rate, notes
from analysis.gamma_star.arm import fit_arm, with_verdict
from analysis.gamma_star.cells import cells_of
from analysis.gamma_star.choices import Choices, parse_place
from analysis.gamma_star.curve import FORMS, PRIMARY_FORM
from analysis.gamma_star.explore import formation_law, lost_runs
from analysis.gamma_star.explore.explore import Explored, explore_arms
from analysis.gamma_star.explore.formation import bimodal, divergence, formation
from analysis.gamma_star.explore.specification import Specification
from analysis.gamma_star.provenance import provenance
from analysis.gamma_star.records import FitResult, GammaStarFit
from analysis.gamma_star.sign import Sign, sign_of
from analysis.stats.tests import holm
from analysis.tables.laws_json import Parameter
from analysis.tables.metrics import scale
from analysis.tables.table import Table
from analysis.text import number


def fit_table(
    table: Table, metric: str | None = None, form: str | None = None,
    window: float | None = None, partial: bool = False, hold_out: str = "deepest",
    explore: bool = True, predict: str | None = None,
) -> FitResult:  # fmt: skip
    """Fit gamma*(N) to every arm.

    metric, form, window: by default the sweep's frozen ones. partial: fit what is there of an
    unfinished sweep, without a verdict. hold_out: "deepest" or a condition on depth and width.
    explore: also the specification curve, the fit over training time and fungibility. predict:
    "N=16", a depth whose gamma* is asked for.
    Raises InputError for an unfinished sweep without `partial`, and for unknown choices.
    """
    metric = metric or table.primary.metric
    form = form or table.primary.form or PRIMARY_FORM
    window = window if window is not None else table.primary.window
    if form not in FORMS:
        raise InputError(f"form {form!r} is none of {', '.join(FORMS)}")
    if predict is not None:
        parse_place(predict)
    choices = Choices(metric, form, window, hold_out, predict)
    lacking = table.expected - len(table.runs)
    missing = max(len(table.missing), lacking)
    if missing and not partial:
        raise InputError(f"{table.path}: {missing} of {table.expected} runs are missing "
                         f"({name_missing(table)}); --partial fits what is there, without a "
                         f"verdict")  # fmt: skip
    runs, said = of_known_gamma(table.runs)
    said = [*table.notes, *said]
    if missing:
        said.append(f"unfinished: {missing} of {table.expected} runs are missing "
                     f"({name_missing(table)}); no verdict is given")  # fmt: skip
    arms: dict[str, GammaStarFit] = {}
    parts: dict[str, tuple[pd.DataFrame, learning_rate.Rates]] = {}
    for arm in runs["arm"].drop_duplicates():
        part = runs[runs["arm"] == arm].reset_index(drop=True)
        y = scale(part, metric).y
        parts[arm] = part, learning_rate.choose(part, y, table.primary.tuning_seeds)
    helps = signs(table, metric, parts)
    for arm, (part, rates) in parts.items():
        arms[arm] = fit_one(arm, part, rates, choices, table, helps[arm])
    said += [f"{arm}: {sign.finding}" for arm, sign in helps.items() if arm not in arms]
    reading = attribution.attribute(arms)
    adjusted = over_arms(arms)
    for arm, fit in arms.items():
        more = {"attribution": attribution.check(arm, reading), "holm": adjusted.get(arm)}
        arms[arm] = with_verdict(fit, {k: v for k, v in more.items() if v}, not missing)
    reading["arms"] = {arm: fit.law.verdict or "no verdict" for arm, fit in arms.items()}
    found = Explored()
    if explore:
        found = explore_arms(table, parts, Specification(metric, form, window, "left out"))
    for arm, exchange in found.fungibility.items():
        arms[arm].law.data["exchange"] = {
            "defined": exchange.defined,
            "sentences": exchange.sentences,
        }
    origin = provenance(table, metric, form, window, hold_out)
    for arm, fit in arms.items():
        fit.law.data["attribution"] = reading["verdict"]
        arms[arm] = replace(fit, law=replace(fit.law, provenance=origin))
    # a seed trained at five rates is one seed: what a rate is of are runs at the chosen rates
    reported = pd.concat([part[rates.use] for part, rates in parts.values()], ignore_index=True)
    diverged, formed = divergence(reported), formation(reported)
    mixed = [arm for arm, fit in arms.items() if fit.law.data["bimodal"]]
    said += [
        notes.on_rates(arm, rates, arms[arm].law.checks["learning_rate"])
        for arm, (_, rates) in parts.items()
    ]
    said += notes.on_divergence(diverged)
    said += notes.on_formation(formed, mixed)
    said += notes.on_lengths(found.training_time)
    said += notes.on_choices(found.specification)
    rates_table = [rates.table.assign(arm=arm) for arm, (_, rates) in parts.items()]
    return FitResult(
        laws=[f.law for f in arms.values()], arms=arms, metric=metric, form=form, window=window,
        attribution=reading, divergence=diverged, formation=formed,
        learning_rates=pd.concat(rates_table, ignore_index=True), notes=said,
        partial=bool(missing), provenance=origin, specification=found.specification,
        training_time=found.training_time, fungibility=found.fungibility,
    )  # fmt: skip


def over_arms(arms: dict[str, GammaStarFit]) -> dict[str, dict[str, Any]]:
    """b = 0 tested in every arm that has a slope, adjusted over arms (Holm 1979)."""
    known = {a: f.law.data["p_b_is_0"] for a, f in arms.items()
             if f.law.data.get("p_b_is_0") is not None}  # fmt: skip
    if len(known) < 2:  # b's own interval is the test then
        return {}
    return {
        arm: {"passed": p <= 0.05, "value": p, "contradicted": False,
              "finding": f"b = 0 over {len(known)} arms (Holm): p = {number(p, 2)}"}
        for arm, p in zip(known, holm(list(known.values())), strict=True)
    }  # fmt: skip


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
    said = []
    without = runs["gamma"].isna()
    learned = np.zeros(len(runs), bool)
    for column in ("learned_gamma", "learned_taps"):
        if column in runs.columns:
            learned |= runs[column].notna().to_numpy()
    for name, out in (
        ("a learned filter", without & learned),
        ("no one γ (a shift, given taps, an angle)", without & ~learned),
    ):
        if out.any():
            arms = ", ".join(runs["arm"][out].drop_duplicates())
            said.append(f"{int(out.sum())} runs with {name} are not part of the curves in γ "
                        f"(arms {arms}): `analysis arms` compares them")  # fmt: skip
    if (runs["gamma"] < 0).any():
        said.append(f"{int((runs['gamma'] < 0).sum())} runs with a γ below 0 are part of the "
                    f"search over the tap angle, not of the curves in ln gamma")  # fmt: skip
    kept = runs[runs["gamma"] >= 0]
    if kept.empty:
        size = "params" if "params" in runs.columns and runs["params"].nunique() > 1 else "depth"
        raise InputError(
            "no run has a γ of 0 or above: nothing to fit γ*(N) to. A law over size: "
            f"`analysis law power TABLE --map x={size},y=val_loss`; arms and settings side by side: "
            "`analysis arms TABLE`; two tables: `analysis compare A B`"
        )
    return kept.reset_index(drop=True), said


def signs(table: Table, metric: str, parts: dict) -> dict[str, Sign]:
    """Whether momentum helps, for every arm that has a set gamma. gamma = 0 is plain attention in any
    arm: where one lacks it, the first arm that has it lends its runs. parts: the arms' runs of gamma
    0 or above with their chosen rates."""
    cells = {}
    known = table.runs[table.runs["gamma"].notna()]
    for arm, every in known.groupby("arm", sort=False):
        if (every["gamma"] < 0).any():
            part = every.reset_index(drop=True)
            rates = learning_rate.choose(part, scale(part, metric).y, table.primary.tuning_seeds)
        else:
            part, rates = parts[arm]
        done = rates.use & (part["status"] == "completed").to_numpy()
        cells[str(arm)] = cells_of(part, scale(part, metric), done, -np.inf)
    zeros = next((c for c in cells.values() if any((d.gamma == 0).any() for d in c)), [])
    return {arm: sign_of(groups, zeros) for arm, groups in cells.items()}


def fit_one(arm: str, part: pd.DataFrame, chosen: learning_rate.Rates, choices: Choices,
            table: Table, sign: Sign) -> GammaStarFit:  # fmt: skip
    """One arm at its chosen rates, diverged runs left out (the law conditional on convergence)."""
    metric = choices.metric
    scaled = scale(part, metric)
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
        "other_rates": int((~chosen.use).sum()), "bimodal": bimodal(part[chosen.use]),
    }  # fmt: skip
    checks = {"learning_rate": {"contradicted": False, **chosen.check}}
    groups = cells_of(part, scaled, used)
    fit = fit_arm(arm, groups, choices, checks, data, observed, chosen.table, sign)
    return with_bounds(fit, part, chosen.use)


def with_bounds(fit: GammaStarFit, part: pd.DataFrame, use: np.ndarray) -> GammaStarFit:
    """The fit with what its b hangs on: runs that were lost, and whether runs form at all. part:
    the arm's runs; use (R,): those at the chosen rates."""
    primary = Specification(fit.metric, fit.form, fit.window, "left out")
    checks, data, law = dict(fit.law.checks), dict(fit.law.data), fit.law
    b = law.parameters["b"]
    lost = lost_runs.bounds(part, use, primary, b)
    gone = lost_runs.lost_depths(part, fit.curves)
    if gone:
        checks["lost_depths"] = lost_runs.check_depths(gone)
    if lost is not None:
        checks["lost_runs"], data["lost_runs"] = lost_runs.check(lost), lost
        b = Parameter(b.estimate, lost["low"], lost["high"], lost["low"] is not None)
    if data["bimodal"]:
        forming = formation_law.two_laws(part, use, primary)
        checks["formation"], data["formation"] = formation_law.check(forming), forming
    law = replace(law, parameters={**law.parameters, "b": b}, checks=checks, data=data)
    return replace(fit, law=law)
