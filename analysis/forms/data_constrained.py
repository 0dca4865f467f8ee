"""L = E + A/N'^alpha + B/D'^beta, N' and D' the effective parameters and tokens of repeated data.

Muennighoff et al. 2023, eq. 5-6: of D tokens U are unique, R = D/U - 1 repetitions, and
D' = U + U R_D (1 - exp(-R/R_D)); N' likewise beyond U_N, the best size for U unique tokens.
"""

from __future__ import annotations

import numpy as np

from analysis.forms.automatic import coefficient, exponent, floor, law


def predict(parameters, columns):
    """L at N parameters and D tokens of which U are unique (n,)."""
    alpha, beta = parameters["alpha"], parameters["beta"]
    log_ratio = np.log(alpha * parameters["A"] / (beta * parameters["B"])) / (alpha + beta)
    log_best = log_ratio + (log_ratio + np.log(columns["U"])) * beta / alpha
    size = _effective(
        columns["N"], np.exp(np.minimum(log_best, np.log(columns["N"]))), parameters["R_N"]
    )
    tokens = _effective(columns["D"], np.minimum(columns["U"], columns["D"]), parameters["R_D"])
    return parameters["E"] + parameters["A"] * size**-alpha + parameters["B"] * tokens**-beta


def _effective(total, unique, decay):
    """Of `total`, `unique` count in full and repetitions decay with `decay` (R*)."""
    return unique * (1 - decay * np.expm1(-(total / unique - 1) / decay))


FORM = law(
    "L = E + A/N'^alpha + B/D'^beta, D' = U + U R_D (1 - exp(-(D/U - 1)/R_D)), N' likewise",
    ("N", "D", "U", "L"),
    {
        "E": floor(0.2, 1, "L"),
        "A": coefficient(10, 1e4),
        "alpha": exponent(0.15, 0.6),
        "B": coefficient(10, 1e4),
        "beta": exponent(0.15, 0.6),
        "R_D": coefficient(1, 100),
        "R_N": coefficient(1, 100),
    },
    predict,
    name="data-constrained",
    source="Muennighoff et al. 2023",
)
