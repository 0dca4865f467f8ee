"""y = E + b x^-c0 (1 + (x/d)^(1/f))^(-c1 f): two power laws, from one to the other smoothly at d.

Caballero et al. 2022, eq. 1 with one break: the exponent goes from -c0 to -(c0 + c1); f is how
many e-foldings of x the change takes.
"""

from __future__ import annotations

import numpy as np

from analysis.forms.automatic import coefficient, exponent, floor, law


def predict(parameters, columns):
    """y at x (n,)."""
    log_x = np.log(columns["x"])
    width = parameters["f"]
    bent = np.logaddexp(0.0, (log_x - np.log(parameters["d"])) / width)
    fallen = np.exp(-parameters["c0"] * log_x - parameters["c1"] * width * bent)
    return parameters["E"] + parameters["b"] * fallen


FORM = law(
    "y = E + b x^-c0 (1 + (x/d)^(1/f))^(-c1 f)",
    ("x", "y"),
    {
        "E": floor(1e-3, 1, "y"),
        "b": coefficient(1e-2, 1e2, "y"),
        "c0": exponent(-0.5, 1.5),
        "c1": exponent(-1.5, 1.5),
        "d": coefficient(1, 1, "x"),
        "f": coefficient(0.05, 1.5),
    },
    predict,
    name="broken-power",
    source="Caballero et al. 2022",
)
