"""A law's problem on the scale and with the weights asked for; θ and its parameters stay what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.forms.fit import Problem, Quantity
from analysis.stats.losses import Loss
from analysis.stats.on_scale import OnScale
from analysis.stats.optimise import Model

SCALES = ("log", "linear")


def scaled(problem: Problem, y: np.ndarray, weight: np.ndarray | None, scale: str) -> Problem:
    """The problem with residuals y - f ("linear") instead of ln y - ln f, each times the root of its
    weight. y (n,): in the unit of the table."""
    if weight is None and scale == "log":
        return problem
    root = np.ones(len(y)) if weight is None else np.sqrt(weight / weight.mean())
    unit = float(np.exp(np.mean(np.log(y) - problem.log_y)))
    seen: dict[int, OnScale] = {}

    def wrap(model: Model) -> OnScale:
        if id(model) not in seen:
            seen[id(model)] = OnScale(model, root, scale == "linear", unit)
        return seen[id(model)]

    def on_scale(q: Quantity) -> Quantity:
        def coordinates(theta: np.ndarray):
            model, local = q.coordinates(theta)
            return wrap(model), local

        return replace(q, coordinates=coordinates)

    model = wrap(problem.model)
    return replace(
        problem, model=model, log_y=model.target(problem.log_y), scaled=wrap,
        starts=lambda loss: problem.starts(Loss("l2")),
        quantities=tuple(on_scale(q) for q in problem.quantities),
    )  # fmt: skip


def weights_of(table: pd.DataFrame, column: str | None) -> np.ndarray | None:
    """The column as precisions (n,). Raises InputError unless it is there, finite and positive."""
    if column is None:
        return None
    if column not in table.columns:
        raise InputError(f"--weights {column!r}: no such column")
    weight = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise InputError(f"--weights {column!r}: has to be a positive number in every row fitted")
    return weight
