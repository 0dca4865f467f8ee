"""L = E + A_width/width^alpha_width + A_depth/depth^alpha_depth + A_D/D^alpha_D.

The additive form of Hoffmann et al. (2022) with the parameter count split into its two factors.
"""

from __future__ import annotations

import numpy as np

from analysis.forms.automatic import coefficient, exponent, floor
from analysis.forms.fit import Problem
from analysis.forms.form import Form
from analysis.forms.power_sum import power_sum_problem

TERMS = ("width", "depth", "D")


def predict(parameters: dict[str, float], columns: dict[str, np.ndarray]) -> np.ndarray:
    """L at width, depth (layers) and D tokens (n,), in the unit of the L that was fitted."""
    total = parameters["E"]
    for name in TERMS:
        total = total + parameters[f"A_{name}"] * columns[name] ** -parameters[f"alpha_{name}"]
    return total


def problem(columns: dict[str, np.ndarray]) -> Problem:
    """The law on width, depth, D, L (n,), all positive."""
    names = [(f"A_{name}", f"alpha_{name}") for name in TERMS]
    return power_sum_problem([columns[name] for name in TERMS], columns["L"], names, floor="E")


FORM = Form(
    "depth-width",
    "L = E + Σ_x A_x/x^alpha_x over x = width, depth, D",
    ("width", "depth", "D", "L"),
    "L",
    "huber:1e-3",
    "additive, after Hoffmann et al. 2022",
    problem,
    predict,
    smaller=("without width", "without depth", "without D"),
    parameters={
        "E": floor(0.3, 1, "L"),
        **{f"A_{n}": coefficient(0.1, 1e3) for n in TERMS},
        **{f"alpha_{n}": exponent(0.1, 0.8) for n in TERMS},
    },
)
