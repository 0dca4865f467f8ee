"""y = coefficient · x^exponent, fitted in logarithms (a straight line there, so convex)."""

from __future__ import annotations

import numpy as np

from analysis.forms.automatic import coefficient, exponent
from analysis.forms.fit import Problem
from analysis.forms.form import Form
from analysis.forms.power_sum import power_sum_problem


def predict(parameters: dict[str, float], columns: dict[str, np.ndarray]) -> np.ndarray:
    """y at x (n,), in the unit of the y that was fitted."""
    return parameters["coefficient"] * columns["x"] ** parameters["exponent"]


def problem(columns: dict[str, np.ndarray]) -> Problem:
    """The law on x, y (n,), both positive."""
    names = [("coefficient", "exponent")]
    return power_sum_problem([columns["x"]], columns["y"], names, floor=None, rising=True)


FORM = Form(
    "power",
    "y = coefficient · x^exponent",
    ("x", "y"),
    "y",
    "l2",
    "a line in (ln x, ln y)",
    problem,
    predict,
    smaller=("constant", "exponential", "logarithmic", "step"),
    parameters={"coefficient": coefficient(1e-2, 1e2, "y"), "exponent": exponent(-2, 2)},
)
