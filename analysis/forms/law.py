"""A law on a table: `fit_table` goes from a file and a mapping of its columns to a `FittedLaw`.

Guarantee: rows held out take no part in the fit, in the rivals or in the noise estimate; every row
left out is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.forms import rivals
from analysis.forms.fit import Fit, Problem, fit
from analysis.forms.form import Form
from analysis.forms.isoflop import MINIMA, IsoflopFit
from analysis.forms.isoflop_law import isoflop_law
from analysis.forms.named import find
from analysis.forms.prediction import at_point, parse_point, predicted, with_prediction
from analysis.forms.scaled import SCALES, scaled, weights_of
from analysis.forms.verdict import judged_law
from analysis.notebook import Shown
from analysis.stats.losses import Loss, parse_loss
from analysis.stats.misfit import misfit
from analysis.tables.columns import Rows, parse_map, prepare
from analysis.tables.expressions import condition
from analysis.tables.laws_json import Law
from analysis.tables.read import read_frame
from analysis.tables.units import LEAST_UNITS, unit_column


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
    data: Any,
    mapping: str | dict[str, str],
    loss: str | None = None,
    where: str | None = None,
    bootstrap: int = 0,
    hold_out: str | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    cluster: str | None = None,
    weights: str | None = None,
    scale: str = "log",
    fix: str | None = None,
    tie: str | None = None,
    minimum: str | None = None,
    predict: str | None = None,
) -> FittedLaw:
    """Fit `form` to a file (or a DataFrame); returns a `FittedLaw`.

    mapping: "N=params,..." or a dict; the other arguments are the flags of the same name.
    cluster: the column whose rows are one unit ("none": every row); by default found by itself.
    weights: a column of precisions (inverse variances up to a factor). scale: "log" or "linear".
    Raises InputError for everything that can't be fitted.
    """
    known = None if form == "isoflop" else find(form, fix, tie)
    columns = parse_map(mapping) if isinstance(mapping, str) else dict(mapping)
    check_names(form, known, columns)
    if minimum and (known is not None or minimum not in MINIMA):
        raise InputError(f"--minimum {minimum}: isoflop's alone, one of {', '.join(MINIMA)}")
    if predict and (known is None or not bootstrap or weights or scale != "log"):
        raise InputError(
            "--predict needs --bootstrap, a form other than isoflop, and rows of one "
            "weight on the log scale"
        )
    point = parse_point(predict, known) if predict else None
    chosen = parse_loss(loss) if loss else None
    table: pd.DataFrame = read_frame(data)[0] if isinstance(data, str | Path) else data
    source = str(data) if isinstance(data, str | Path) else "a table in memory"
    if table.empty:
        raise InputError(f"{source} holds no rows")
    response = known.response if known else "L"
    rows = prepare(table, columns, response, where)
    about = {"table": source, "map": columns, "where": where}
    unit, about["units"] = units(rows, columns, response, cluster)
    if scale not in SCALES:
        raise InputError(f"--scale {scale!r}: allowed are {', '.join(SCALES)}")
    weight = weights_of(rows.table, weights)
    about |= {"weights": weights, "scale": scale}
    if known is None:
        if weights or scale != "log":
            raise InputError("isoflop takes neither --weights nor --scale linear")
        if fix or tie:
            raise InputError("isoflop's line has no parameter to fix or tie")
        if chosen is not None and chosen.kind != "l2":
            raise InputError("--loss: isoflop's line through the optima is least squares (l2) only")
        if hold_out:
            raise InputError(
                "--hold-out: isoflop predicts no loss to compare; leave rows out with --where"
            )
        kept = rows.columns
        data = described(rows, kept, about)
        law, found = isoflop_law(
            kept, columns["L"], data, bootstrap, level, seed, minimum or "spline"
        )
        return FittedLaw(law, kept, columns, isoflop=found)
    fitted = fit_form(
        known,
        rows,
        columns,
        chosen,
        about,
        bootstrap,
        hold_out,
        level,
        seed,
        progress,
        unit,
        weight,
    )
    if point:
        at = at_point(known, fitted.law, fitted.fit, point, seed)
        fitted = replace(fitted, law=replace(fitted.law, data=fitted.law.data | {"predicted": at}))
    return fitted


def fit_form(
    form: Form,
    rows: Rows,
    labels: dict[str, str],
    loss: Loss | None,
    about: dict[str, Any],
    bootstrap: int,
    hold_out: str | None,
    level: float,
    seed: int,
    progress,
    unit: np.ndarray | None = None,
    weight: np.ndarray | None = None,
) -> FittedLaw:
    """Fit one of the additive forms."""
    inside, outside = split(rows, hold_out)
    columns = {n: v[inside] for n, v in rows.columns.items()}
    chosen = loss or parse_loss(form.loss)
    problem = plain = form.problem(columns)
    if unit is not None:
        problem = replace(problem, unit=np.unique(unit[inside], return_inverse=True)[1])
    weight = None if weight is None else weight[inside]
    scale = about.get("scale", "log")
    problem = scaled(problem, columns[form.response], weight, scale)
    found = fit(problem, chosen, level, bootstrap, seed, progress)
    simple = rivals.compare(problem, found, rivals.simpler(form, columns))
    how = f"{bootstrap} case bootstraps (percentiles)" if bootstrap else "profile likelihood"
    grid = "a box of parameters" if form.smaller == ("constant",) else "a variable-projection grid"
    method = (
        f"{chosen.label} on {'ln ' if scale == 'log' else ''}{labels[form.response]}, best of "
        f"{found.optimum.starts} starts of {grid}; intervals: {how}"
    )
    if weight is not None:
        method += f"; rows weighted by their precision, {about['weights']}"
    if unit is not None:
        method += f"; over {problem.unit.max() + 1} units of {about['units']['column']}"
    data = described(rows, columns, about)
    apart = plain.log_y - plain.model.log_value(found.optimum.theta[None])[0]
    data["misfit"] = misfit(apart, plain.log_y)
    if bootstrap:
        data["bootstrap"] = {
            "replicates": bootstrap,
            "seed": seed,
            "se": {e.name: float(np.nanstd(e.samples)) for e in found.estimates},
        }
    law = judged_law(
        form, problem, found, simple, labels[form.response], level, method, data, columns
    )
    held = {}
    if hold_out:
        apart = {n: v[outside] for n, v in rows.columns.items()}
        held = predicted(form, law, found, columns, apart, level, hold_out)
        law = with_prediction(law, held)
    return FittedLaw(law, columns, labels, form, problem, found, held=held)


def units(
    rows: Rows, columns: dict[str, str], response: str, given: str | None
) -> tuple[np.ndarray | None, dict[str, Any] | None]:
    """Which rows are one unit (n,), None where each is its own; and what is said of it. Raises
    InputError for a column that is not there or tells fewer than 3 units apart."""
    if given == "none":
        return None, None
    inputs = pd.DataFrame(
        {n: v for n, v in rows.columns.items() if n != response}, index=rows.table.index
    )
    name = given or unit_column(rows.table, inputs)
    if name is None:
        return None, None
    if name not in rows.table.columns:
        raise InputError(f"--cluster {name!r}: no such column")
    codes = pd.factorize(rows.table[name].astype(str))[0]
    count = int(codes.max()) + 1
    if count < LEAST_UNITS:
        raise InputError(f"--cluster {name!r}: {count} units, at least {LEAST_UNITS} are needed")
    return codes, {"column": name, "count": count, "found": given is None}


def split(rows: Rows, hold_out: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Row indices (fitted, held out)."""
    everything = np.arange(rows.kept.size)
    if not hold_out:
        return everything, everything[:0]
    apart = condition(hold_out, rows.table, "--hold-out").to_numpy()
    if not apart.any() or apart.all():
        raise InputError(
            f"--hold-out {hold_out!r} holds out {int(apart.sum())} of {apart.size} "
            "rows: some have to be on either side"
        )
    return everything[~apart], everything[apart]


def described(rows: Rows, columns: dict[str, np.ndarray], about: dict[str, Any]) -> dict[str, Any]:
    """What the law's `data` says of the rows."""
    return {
        **about,
        "rows": rows.total,
        "used": (used := int(next(iter(columns.values())).size)),
        "held_out": int(rows.kept.size) - used,
        "dropped": rows.dropped,
        "notes": rows.notes,
        "ranges": {n: [float(v.min()), float(v.max())] for n, v in columns.items()},
    }


def check_names(name: str, form: Form | None, columns: dict[str, str]) -> None:
    """Raise InputError unless exactly the form's names are mapped; form None for isoflop."""
    if form is None:
        need, sizes = {"C", "L"}, {"N", "D"} & set(columns)
        if len(sizes) != 1 or not need <= set(columns) or set(columns) - need - {"N", "D"}:
            raise InputError(
                f"isoflop maps C, L and one of N, D; given: {', '.join(columns) or 'nothing'}"
            )
        return
    names = ", ".join(form.variables)
    if missing := [n for n in form.variables if n not in columns]:
        raise InputError(f"{name} maps {names}; missing: {', '.join(missing)}")
    if extra := [n for n in columns if n not in form.variables]:
        raise InputError(f"{name} maps {names}; {extra[0]!r} is none of them")
