"""L = E + A/N^alpha + B/D^beta (Hoffmann et al. 2022, approach 3, eq. 2-3)."""

from __future__ import annotations

import numpy as np

from analysis.forms.automatic import coefficient, exponent, floor
from analysis.forms.fit import Problem
from analysis.forms.form import Form
from analysis.forms.power_sum import power_sum_problem


def predict(parameters: dict[str, float], columns: dict[str, np.ndarray]) -> np.ndarray:
    """L at N parameters and D tokens (n,), in the unit of the L that was fitted."""
    by_size = parameters["A"] * columns["N"] ** -parameters["alpha"]
    return parameters["E"] + by_size + parameters["B"] * columns["D"] ** -parameters["beta"]


def problem(columns: dict[str, np.ndarray]) -> Problem:
    """The law on N, D, L (n,), all positive."""
    names = [("A", "alpha"), ("B", "beta")]
    return power_sum_problem([columns["N"], columns["D"]], columns["L"], names, floor="E")


FORM = Form(
    "chinchilla",
    "L = E + A/N^alpha + B/D^beta",
    ("N", "D", "L"),
    "L",
    "huber:1e-3",
    "Hoffmann et al. 2022, eq. 2-3",
    problem,
    predict,
    smaller=("without N", "without D"),
    parameters={
        "E": floor(0.3, 1, "L"),
        "A": coefficient(1, 1e4),
        "alpha": exponent(0.1, 0.8),
        "B": coefficient(1, 1e4),
        "beta": exponent(0.1, 0.8),
    },
)
