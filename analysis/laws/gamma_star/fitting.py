"""A whole table: every arm under the frozen primary choice, and what the arms say together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.laws.gamma_star import learning_rate, outcomes
from analysis.laws.gamma_star.arm import fit_arm
from analysis.laws.gamma_star.cells import cells_of
from analysis.laws.gamma_star.curve import FORMS
from analysis.laws.gamma_star.metrics import scale
from analysis.laws.gamma_star.outcome import FitResult, GammaStarFit
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
    arms: dict[str, GammaStarFit] = {}
    rates = []
    for arm in runs["arm"].drop_duplicates():
        part = runs[runs["arm"] == arm].reset_index(drop=True)
        chosen = choose_rates(part, metric, table)
        rates.append(chosen.table.assign(arm=arm))
        arms[arm] = fit_one(arm, part, chosen, metric, form, window, hold_out, not missing, table)
    return FitResult(
        laws=[f.law for f in arms.values()], arms=arms, metric=metric, form=form, window=window,
        attribution={}, specification=pd.DataFrame(), training_time=pd.DataFrame(),
        divergence=outcomes.divergence(runs), formation=outcomes.formation(runs),
        learning_rates=pd.concat(rates, ignore_index=True), fungibility={}, notes=notes,
        partial=bool(missing),
    )  # fmt: skip


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
    for name, out in (("learned gamma", runs["gamma"].isna()), ("gamma below 0", runs["gamma"] < 0)):
        if out.any():
            notes.append(f"{int(out.sum())} runs with {name} are not part of the curves")
    kept = runs[runs["gamma"] >= 0]
    if kept.empty:
        raise InputError("no run has a gamma of 0 or above: nothing to fit")
    return kept.reset_index(drop=True), notes


def choose_rates(part: pd.DataFrame, metric: str, table: Table) -> learning_rate.Rates:
    """The learning rate per depth of one arm, on the tuning seeds."""
    y = scale(part, metric).y
    return learning_rate.choose(part, y, table.choice.tuning_seeds)


def fit_one(arm: str, part: pd.DataFrame, chosen: learning_rate.Rates, metric: str, form: str,
            window: float | None, hold_out: str, judged: bool, table: Table) -> GammaStarFit:  # fmt: skip
    """One arm at its chosen rates, diverged runs left out (the law conditional on convergence)."""
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
        "other_rates": int((~chosen.use).sum()), "bimodal": outcomes.bimodal(part[chosen.use]),
    }  # fmt: skip
    checks = {"learning_rate": {"contradicted": False, **chosen.check}}
    groups = cells_of(part, scaled, used)
    return fit_arm(arm, groups, metric, form, window, checks, data, hold_out, judged, observed)
