"""A law on a table: `fit_table` goes from a file and a mapping of its columns to a `FittedLaw`.

Guarantee: rows held out take no part in the fit, in the rivals or in the noise estimate; every row
left out is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.forms import rivals
from analysis.forms.choices import Choices
from analysis.forms.fit import Fit, Problem, fit
from analysis.forms.form import Form
from analysis.forms.isoflop import IsoflopFit
from analysis.forms.isoflop_law import isoflop_law
from analysis.forms.models.automatic import Automatic
from analysis.forms.named import find
from analysis.forms.prediction import at_point, parse_point, predicted, with_prediction
from analysis.forms.roll_out import rolled_out
from analysis.forms.rows import check_names, described, split, units
from analysis.forms.scaled import scaled, weights_of
from analysis.forms.verdict import judged_law
from analysis.notebook import Shown
from analysis.stats.losses import parse_loss
from analysis.stats.misfit import misfit
from analysis.tables.columns import Rows, parse_map, prepare
from analysis.tables.laws_json import Law
from analysis.tables.read import Source, place_of, read_frame, source_name


@dataclass(frozen=True)
class FittedLaw(Shown):
    """A law with what figures need. columns: those fitted; form None for isoflop."""

    law: Law
    columns: dict[str, np.ndarray]
    labels: dict[str, str]
    form: Form | None = None
    problem: Problem | None = None
    fit: Fit | None = None
    isoflop: IsoflopFit | None = None
    held: dict[str, Any] = field(default_factory=dict)


def fit_table(
    form: str,
    data: Source,
    mapping: str | dict[str, str],
    choices: Choices | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FittedLaw:
    """Fit `form` to a file (or a DataFrame); returns a `FittedLaw`.

    mapping: "N=params,..." or a dict. progress(done, all): of bootstraps. Raises InputError for
    everything that can't be fitted.
    """
    choices = choices or Choices()
    known = None if form == "isoflop" else find(form, choices.fix, choices.tie)
    columns = parse_map(mapping) if isinstance(mapping, str) else dict(mapping)
    check_names(form, known, columns)
    choices.check(known)
    point = parse_point(choices.predict, known) if choices.predict else None
    table: pd.DataFrame = read_frame(data)[0]
    source = source_name(place_of(data))
    if table.empty:
        raise InputError(f"{source} holds no rows")
    response = known.response if known else "L"
    rows = prepare(table, columns, response, choices.where)
    about = {"table": source, "map": columns, "where": choices.where}
    unit, about["units"] = units(rows, columns, response, choices.cluster)
    about |= {"weights": choices.weights, "scale": choices.scale}
    if known is None:
        kept = rows.columns
        law, found = isoflop_law(kept, columns["L"], described(rows, kept, about), choices, unit)
        return FittedLaw(law, kept, columns, isoflop=found)
    fitted = fit_form(known, rows, columns, about, choices, unit, progress)
    if point:
        at = at_point(known, fitted.law, fitted.fit, point, choices.seed)
        fitted = replace(fitted, law=replace(fitted.law, data=fitted.law.data | {"predicted": at}))
    return fitted


def fit_form(
    form: Form,
    rows: Rows,
    labels: dict[str, str],
    about: dict[str, Any],
    choices: Choices,
    unit: np.ndarray | None,
    progress: Callable[[int, int], None] | None,
) -> FittedLaw:
    """Fit one of the additive forms. unit (n,): which rows are one unit."""
    inside, outside = split(rows, choices.hold_out)
    columns = {n: v[inside] for n, v in rows.columns.items()}
    weight = weights_of(rows.table, choices.weights)
    weight = None if weight is None else weight[inside]
    loss = parse_loss(choices.loss or form.loss)
    problem = plain = form.problem(columns)
    if unit is not None:
        problem = replace(problem, unit=np.unique(unit[inside], return_inverse=True)[1])
    problem = scaled(problem, columns[form.response], weight, choices.scale)
    found = fit(problem, loss, choices.level, choices.bootstrap, choices.seed, progress)
    simple = rivals.compare(problem, found, rivals.simpler(form, columns))
    data = described(rows, columns, about)
    apart = plain.log_y - plain.model.log_value(found.optimum.theta[None])[0]
    data["misfit"] = misfit(apart, plain.log_y)
    data["roll_out"] = rolled_out(form, problem, plain, found, columns)
    if choices.bootstrap:
        data["bootstrap"] = {
            "replicates": choices.bootstrap,
            "seed": choices.seed,
            "se": {e.name: float(np.nanstd(e.samples)) for e in found.estimates},
        }
    method = described_method(plain, problem, found, labels[form.response], about, choices)
    law = judged_law(form, problem, found, simple, labels[form.response], choices.level, method,
                     data, columns)  # fmt: skip
    held = {}
    if choices.hold_out:
        apart = {n: v[outside] for n, v in rows.columns.items()}
        held = predicted(form, law, found, columns, apart, choices.level, choices.hold_out)
        law = with_prediction(law, held)
    return FittedLaw(law, columns, labels, form, problem, found, held=held)


def described_method(
    plain: Problem,
    problem: Problem,
    found: Fit,
    label: str,
    about: dict[str, Any],
    choices: Choices,
) -> str:
    """How it was fitted, in a sentence."""
    how = f"{choices.bootstrap} case bootstraps (percentiles)"
    how = how if choices.bootstrap else "profile likelihood"
    boxed = isinstance(plain.model, Automatic)
    grid = "a box of parameters" if boxed else "a variable-projection grid"
    said = (
        f"{found.loss.label} on {'ln ' if choices.scale == 'log' else ''}{label}, best of "
        f"{found.optimum.starts} starts of {grid}; intervals: {how}"
    )
    if choices.weights:
        said += f"; rows weighted by their precision, {choices.weights}"
    if problem.unit is not None:
        said += f"; over {problem.unit.max() + 1} units of {about['units']['column']}"
    return said
