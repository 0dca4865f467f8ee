"""lr* = c N^a D^b: the best learning rate at N parameters and D tokens.

Li et al. 2025 ("Step Law"), eq. 1; published c = 1.79, a = -0.713, b = 0.307. Its law of the best
batch, c D^b, is the form `power` with x = D.
"""

from __future__ import annotations

from analysis.forms.automatic import coefficient, exponent, law


def predict(parameters, columns):
    """The best learning rate at N parameters and D tokens (n,)."""
    by_size = columns["N"] ** parameters["a"]
    return parameters["c"] * by_size * columns["D"] ** parameters["b"]


FORM = law(
    "lr = c N^a D^b",
    ("N", "D", "lr"),
    {"c": coefficient(1e-3, 1e3), "a": exponent(-1.5, 0.5), "b": exponent(-0.5, 1.0)},
    predict,
    name="step-law",
    source="Li et al. 2025, eq. 1",
    simpler=("a=0", "b=0"),
)
