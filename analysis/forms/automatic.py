"""A law form from its formula alone: `law(text, variables, parameters, predict)`, written in numpy.

Guarantee: searched from a whole box of starts, with exact derivatives, and bounded, compared and
judged as every other form is. The same way serves a published form with parameters fixed or tied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy.stats import qmc

from analysis.errors import InputError
from analysis.forms.fit import Problem, Quantity
from analysis.forms.form import Form, Range
from analysis.forms.models.automatic import Automatic
from analysis.stats.losses import Loss
from analysis.stats.optimise import minimise, objective

ABSENT = 1e-6  # a parameter that moves no ln f by this share of itself has run off
DRAWN, DESCENDED, KEPT = 1024, 32, 8


def coefficient(low: float, high: float, within: str | None = None) -> Range:
    """A positive parameter, its starts log-uniform in (low, high) times the range of `within`."""
    return Range("coefficient", low, high, True, within)


def floor(low: float, high: float, within: str | None = None) -> Range:
    """A positive constant that large models can't get under; `within` as in `coefficient`."""
    return Range("floor", low, high, True, within)


def exponent(low: float, high: float) -> Range:
    """A parameter of either sign, its starts uniform in (low, high)."""
    return Range("exponent", low, high, False)


def law(
    text: str,
    variables: tuple[str, ...],
    parameters: dict[str, Range],
    predict: Callable[[Mapping, Mapping], np.ndarray],
    name: str = "",
    source: str = "",
    loss: str = "l2",
    simpler: tuple[str, ...] = (),
) -> Form:
    """A form. variables: the names to map, the response last; predict(parameters, columns) -> f
    (n,), positive, in numpy's own functions (np.where, np.minimum, np.logaddexp too). simpler:
    parameters with a value, "a=0", without which the form is compared as well."""
    form = Form(
        name, text, variables, variables[-1], loss, source, None, predict,
        smaller=("constant", *simpler), parameters=parameters,
    )  # fmt: skip
    return replace(form, problem=lambda columns: problem(form, columns, {}, {}))


def constrained(form: Form, fixed: dict[str, float], tied: dict[str, str]) -> Form:
    """`form` with parameters fixed, or tied (name -> the one it equals). Raises InputError for a
    name that is none of the form's."""
    for name in [*fixed, *tied, *tied.values()]:
        if name not in form.parameters:
            raise InputError(
                f"{name!r} is no parameter of {form.name}: {', '.join(form.parameters)}"
            )
    if wrong := sorted(set(fixed) & {*tied, *tied.values()} | set(tied) & set(tied.values())):
        raise InputError(f"{wrong[0]!r} is fixed or tied twice")
    for name, value in fixed.items():
        if form.parameters[name].log and value < 0:
            raise InputError(f"--fix {name}={value:g}: {name} can't be negative")
    words = [f"{n} = {v:g}" for n, v in fixed.items()] + [f"{n} = {o}" for n, o in tied.items()]
    return replace(
        form,
        text=f"{form.text}, {', '.join(words)}",
        problem=lambda columns: problem(form, columns, fixed, tied),
        smaller=("constant",),
        parameters={n: r for n, r in form.parameters.items() if n not in {*fixed, *tied}},
        predict=lambda p, x: form.predict(
            {**p, **fixed, **{n: p[other] for n, other in tied.items()}}, x
        ),
    )


def problem(
    form: Form, columns: dict[str, np.ndarray], fixed: dict[str, float], tied: dict[str, str]
) -> Problem:
    """The law on its columns (n,), by automatic derivatives."""
    free = [n for n in form.parameters if n not in fixed and n not in tied]
    if not free:
        raise InputError("no parameter is left to fit")
    place = {n: None if n in fixed else free.index(tied.get(n, n)) for n in form.parameters}
    ranges = [form.parameters[n] for n in free]
    inputs = tuple(v for v in form.variables if v != form.response)
    model = Automatic(
        form.predict, np.stack([columns[v] for v in inputs], axis=1), inputs, place, fixed,
        tuple(r.log for r in ranges),
    )  # fmt: skip
    _tried(form, model, np.array([np.mean(_edges(r, columns)) for r in ranges]))
    log_y = np.log(columns[form.response])
    far = max(float(np.abs(np.log(columns[v])).max()) for v in inputs)
    quantities = tuple(
        _quantity(model, i, name, r, 25.0 + 15.0 * far if r.log else 15.0)
        for i, (name, r) in enumerate(zip(free, ranges, strict=True))
    )

    def begin(loss: Loss) -> np.ndarray:
        return starts(model, ranges, columns, log_y, loss)

    return Problem(model, log_y, begin, quantities)


def _tried(form: Form, model: Automatic, theta: np.ndarray) -> None:
    """Raise InputError where the formula fails at θ (p,), before anything is searched."""
    try:
        model.log_value(theta[None])
        model.derivatives(theta[None])
    except Exception as error:  # a user's formula may raise anything
        raise InputError(f"{form.name}: {type(error).__name__}: {error}") from error


def starts(
    model: Automatic, ranges: list[Range], columns, log_y: np.ndarray, loss: Loss
) -> np.ndarray:
    """(S, p): a Sobol sample of the box, its best DESCENDED after a short descent, KEPT of them."""
    edges = np.array([_edges(r, columns) for r in ranges])
    unit = qmc.Sobol(len(ranges), seed=0).random(DRAWN)
    theta = edges[:, 0] + unit * (edges[:, 1] - edges[:, 0])
    rows = np.ones(log_y.size)
    squares = Loss("l2")
    value = objective(model, theta, log_y, rows, squares)
    if not np.isfinite(value).any():
        raise InputError(
            "the law is not positive and finite anywhere in the ranges of its parameters"
        )
    theta = theta[np.argsort(value)[:DESCENDED]]
    found = minimise(model, theta, log_y, rows, squares, iterations=60)
    return found.theta[np.argsort(found.value)[:KEPT]]


def _edges(r: Range, columns: dict[str, np.ndarray]) -> tuple[float, float]:
    if not r.log:
        return r.low, r.high
    seen = columns[r.within] if r.within else np.ones(1)
    return float(np.log(r.low * seen.min())), float(np.log(r.high * seen.max()))


def _quantity(model: Automatic, at: int, name: str, r: Range, limit: float) -> Quantity:
    direction = np.eye(model.size)[at]

    def natural(value: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(value) if r.log else value

    def gone(theta: np.ndarray) -> np.ndarray:
        moves = np.stack([np.abs(model.derivatives(row[None])[1][0, :, at]).max() for row in theta])
        return ~(moves > ABSENT)

    return Quantity(
        name, r.kind, direction, natural, lambda theta: (model, theta),
        lambda theta: natural(theta[:, at]), gone, limit,
    )  # fmt: skip
