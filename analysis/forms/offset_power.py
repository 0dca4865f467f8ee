"""y = E + coefficient · x^exponent; E and the coefficient may have either sign.

Guarantee: where the data follow a logarithm or a power law, E is said to be not identified: the
search runs through exponent 0 (see `analysis.forms.models.offset`) instead of stopping at a large
negative E.
"""

from __future__ import annotations

import numpy as np

from analysis.forms.automatic import exponent
from analysis.forms.fit import Problem, Quantity
from analysis.forms.form import Form
from analysis.forms.models.offset import BoxCox, SignedOffset, starts, thin
from analysis.stats.losses import Loss
from analysis.stats.optimise import objective

LOGARITHM = 1e-7  # |exponent| below which E and the coefficient have run off


def predict(parameters: dict[str, float], columns: dict[str, np.ndarray]) -> np.ndarray:
    """y at x (n,), in the unit of the y that was fitted."""
    return parameters["E"] + parameters["coefficient"] * columns["x"] ** parameters["exponent"]


def problem(columns: dict[str, np.ndarray]) -> Problem:
    """The law on x, y (n,), both positive; residuals are relative (ln y - ln f)."""
    log_x, log_y = np.log(columns["x"]), np.log(columns["y"])
    centre, unit = float(log_x.mean()), float(np.exp(log_y.mean()))
    z = log_x - centre
    log_y = log_y - np.log(unit)
    slope = float(z @ log_y / max(z @ z, 1e-300))
    model = BoxCox(z)

    def begin(loss: Loss) -> np.ndarray:
        theta = starts(z, np.exp(log_y), slope)
        return thin(theta, objective(model, theta, log_y, np.ones_like(z), loss))

    def split(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """E, c (both centred, in units of y's geometric mean) and k of θ (B, 3)."""
        m, s, k = theta.T
        safe = np.where(np.abs(k) < LOGARITHM, np.nan, k)
        return m - s / safe, s / safe, k

    def signed(theta: np.ndarray):
        floor, term, k = (float(v[0]) for v in split(theta[None]))
        with np.errstate(divide="ignore"):
            local = np.array([floor, np.log(np.abs(term)), k])
        return SignedOffset(z, float(np.sign(term)) or 1.0), local

    sign = {"value": 1.0}

    def coordinates(theta: np.ndarray):
        found, local = signed(theta)
        sign["value"] = found.sign
        return found, local

    def back(local: np.ndarray) -> np.ndarray:
        floor, log_term, k = local
        term = sign["value"] * np.exp(log_term)
        return np.array([floor + term, term * k, k])

    def run_off(theta: np.ndarray) -> np.ndarray:
        return ~np.isfinite(split(theta)[0])

    def flat(theta: np.ndarray) -> np.ndarray:
        """No dependence on x at all: the term is below 1e-9 of y over the whole range."""
        return np.abs(theta[:, 1]) * np.ptp(z) < 1e-9

    quantities = (
        Quantity(
            "E",
            "floor",
            np.array([1.0, 0.0, 0.0]),
            lambda v: v * unit,
            coordinates,
            lambda t: split(t)[0] * unit,
            run_off,
            1e4,
            back,
        ),
        Quantity(
            "coefficient",
            "coefficient",
            np.array([0.0, 1.0, -centre]),
            lambda v: sign["value"] * np.exp(v) * unit,
            coordinates,
            lambda t: split(t)[1] * np.exp(-t[:, 2] * centre) * unit,
            run_off,
            25.0 + 15.0 * abs(centre),
            back,
        ),
        Quantity(
            "exponent",
            "exponent",
            np.array([0.0, 0.0, 1.0]),
            lambda v: v,
            lambda t: (model, t),
            lambda t: t[:, 2],
            flat,
            15.0,
        ),
    )
    return Problem(model, log_y, begin, quantities)


FORM = Form(
    "offset-power",
    "y = E + coefficient · x^exponent",
    ("x", "y"),
    "y",
    "l2",
    "relative residuals; k = 0 is the logarithm",
    problem,
    predict,
    smaller=("constant", "power", "logarithmic", "exponential", "step"),
    parameters={
        "E": exponent(-1, 5),
        "coefficient": exponent(-10, 10),
        "exponent": exponent(-2, 2),
    },
)
