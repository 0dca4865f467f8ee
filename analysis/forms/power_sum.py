"""Reported parameters of a sum of powers, in the table's own units, from the centred fit.

Guarantee: E, A_k and α_k are exactly those of f = E + Σ A_k x_k^-α_k in the units given, and each
is profiled along its own direction in the fitted coordinates.
"""

from __future__ import annotations

import numpy as np

from analysis.forms.fit import Problem, Quantity
from analysis.forms.models.power_sum import PowerSum
from analysis.forms.models.power_sum_starts import starts
from analysis.stats.losses import Loss

ABSENT = 1e-6  # a term whose share of f is below this in every row is absent


def power_sum_problem(
    columns: list[np.ndarray],
    y: np.ndarray,
    names: list[tuple[str, str]],
    floor: str | None,
    rising: bool = False,
) -> Problem:
    """f = E + Σ A_k x_k^-α_k on positive columns x_k (n,) and y (n,).

    names: (coefficient, exponent) per column; floor: E's name, None for a law without it;
    rising: report the exponent of x itself (f = A x^k) instead of α = -k.
    """
    logs = np.log(np.stack(columns, axis=1))
    centre = logs.mean(axis=0)
    model = PowerSum(logs - centre, floor is not None)
    log_y = np.log(y)
    first = int(floor is not None)
    quantities = []
    if floor is not None:
        quantities.append(
            _quantity(
                model, floor, "floor", _unit(model.size, {0: 1.0}), _exp, _absent(model, 0), 25.0
            )
        )
    for k, (coefficient, exponent) in enumerate(names):
        at = first + 2 * k
        gone = _absent(model, first + k)
        quantities.append(
            _quantity(
                model,
                coefficient,
                "coefficient",
                _unit(model.size, {at: 1.0, at + 1: centre[k]}),
                _exp,
                gone,
                25.0 + 15.0 * abs(float(centre[k])),
            )
        )
        sign = -1.0 if rising else 1.0
        quantities.append(
            _quantity(
                model, exponent, "exponent", _unit(model.size, {at + 1: sign}), _same, gone, 15.0
            )
        )
    return Problem(model, log_y, lambda loss: _starts(model, log_y, loss), tuple(quantities))


def _starts(model: PowerSum, log_y: np.ndarray, loss: Loss) -> np.ndarray:
    return starts(model, log_y, loss)


def _unit(size: int, entries: dict[int, float]) -> np.ndarray:
    vector = np.zeros(size)
    for at, value in entries.items():
        vector[at] = value
    return vector


def _same(value: np.ndarray) -> np.ndarray:
    return value


def _exp(value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # an infinite coefficient is caught as not identified
        return np.exp(value)


def _quantity(model, name, kind, direction, natural, gone, limit) -> Quantity:
    return Quantity(
        name,
        kind,
        direction,
        natural,
        lambda theta: (model, theta),
        lambda theta: natural(theta @ direction),
        gone,
        limit,
    )


def _absent(model: PowerSum, part: int):
    def gone(theta: np.ndarray) -> np.ndarray:
        answer = np.empty(theta.shape[0], bool)
        step = max(1, 400_000 // max(model.z.size, 1))
        for begin in range(0, theta.shape[0], step):
            parts = model._parts(theta[begin : begin + step])
            top = parts.max(axis=1, keepdims=True)
            total = top[:, 0] + np.log(np.exp(parts - top).sum(axis=1))
            answer[begin : begin + step] = (parts[:, part] - total).max(axis=1) < np.log(ABSENT)
        return answer

    return gone
