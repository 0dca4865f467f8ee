"""L = E + (a M^eta + b M^-eta) C^-eta, M = D/N tokens per parameter, C = 6 N D.

Gadre et al. 2024, eq. 4: the law of Hoffmann et al. with alpha = beta = 2 eta, so that training
beyond the best M shifts the loss by a factor that does not depend on C.
"""

from __future__ import annotations

from analysis.forms.automatic import coefficient, exponent, floor, law


def predict(parameters, columns):
    """L at N parameters and D tokens (n,)."""
    ratio, eta = columns["D"] / columns["N"], parameters["eta"]
    over = parameters["a"] * ratio**eta + parameters["b"] * ratio**-eta
    return parameters["E"] + over * (6 * columns["N"] * columns["D"]) ** -eta


FORM = law(
    "L = E + (a M^eta + b M^-eta) C^-eta, M = D/N, C = 6 N D",
    ("N", "D", "L"),
    {
        "E": floor(0.2, 1, "L"),
        "a": coefficient(1, 1e4),
        "b": coefficient(1, 1e4),
        "eta": exponent(0.03, 0.4),
    },
    predict,
    name="over-training",
    source="Gadre et al. 2024",
)
