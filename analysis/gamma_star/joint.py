"""The one-stage cross-check: every depth's curve at once, its minimum bound to a N^-b.

Each depth's objective is profiled over its optimum's place; the sum over depths, minimised over
(ln a, b), is the joint least-squares fit with a curve shape of its own per depth. Interval: the
jackknife over depths, t with K - 2. It needs no censoring: a depth whose optimum lies past the
edge still says from which side.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import minimize
from scipy.special import stdtrit

from analysis.gamma_star.curve_fit import CurveFit, ceilings, model_of, prior, stack
from analysis.gamma_star.records import JointFit
from analysis.stats.least_squares import minimise

PLACES = 33
REACH = 2.5  # ln units past the grid's edges
FINE = 0.02  # ln units: the distance at which places around the minimum start to spread


def profiles(fits: list[CurveFit]) -> tuple[np.ndarray, np.ndarray]:
    """Where (K, PLACES) and how badly (K, PLACES) each depth fits with its optimum held there."""
    groups = [f.cells for f in fits]
    y, weight, gamma, _ = stack(groups, [f.filled for f in fits], [f.keep for f in fits], False)
    priors = [prior(f.cells, y[k, : len(f.cells.gamma)], f.keep) for k, f in enumerate(fits)]
    centre, spread = (np.array([p[i] for p in priors]) for i in (0, 1))
    places = np.array([around(f.theta, f.hull[0] - REACH, f.hull[1] + REACH) for f in fits])
    owner = np.repeat(np.arange(len(fits)), PLACES)
    start = np.array([f.p for f in fits])[owner]
    start[:, 0] = places.ravel()
    ceiling = ceilings(groups)
    top = None if ceiling is None else ceiling[owner]
    free = np.array([False, True, True, True, ceiling is not None, True])
    _, objective = minimise(model_of(gamma[owner], top), start, y[owner], weight[owner],
                          centre[owner], spread[owner], free, steps=40)  # fmt: skip
    return places, objective.reshape(len(fits), PLACES)


def around(centre: float, low: float, high: float) -> np.ndarray:
    """PLACES from low to high, close together around `centre`, where the profile is narrow."""
    centre = float(np.clip(centre, low + 0.1, high - 0.1))
    ends = np.arcsinh((np.array([low, high]) - centre) / FINE)
    left = np.linspace(ends[0], 0, PLACES // 2 + 1)
    right = np.linspace(0, ends[1], PLACES // 2 + 1)[1:]
    return centre + FINE * np.sinh(np.concatenate([left, right]))


def joint(fits: list[CurveFit], start: tuple[float, float], interval: tuple[float, float],
          level: float = 0.95) -> JointFit | None:  # fmt: skip
    """Fit a and b over all depths at once; `interval` is the primary's, to be compared with.

    None for forms without a held optimum, fewer than 3 depths, or several widths.
    """
    depth = np.array([f.cells.depth for f in fits], float)
    widths = {f.cells.width for f in fits}
    if any(f.form != "two_sided" for f in fits) or len(set(depth)) < 3 or len(widths) > 1:
        return None
    places, objective = profiles(fits)
    curves = [fine_profile(x, v) for x, v in zip(places, objective, strict=True)]
    x, value = (np.array(part) for part in zip(*curves, strict=True))
    log_n = np.log(depth)

    def total(q: np.ndarray, log_n: np.ndarray, x: np.ndarray, value: np.ndarray) -> float:
        return beyond(q[0] - q[1] * log_n, x, value).sum()

    def best(which: np.ndarray, first: np.ndarray) -> np.ndarray:
        mine = log_n[which], x[which], value[which]
        return minimize(total, first, mine, method="Nelder-Mead",
                        options={"xatol": 1e-4, "fatol": 1e-6}).x  # fmt: skip

    everything = np.ones(len(fits), bool)
    tries = [best(everything, np.array([start[0], b])) for b in (start[1], 0.0, 1.0)]
    worth = [total(q, log_n, x, value) for q in tries]
    q = tries[int(np.argmin(worth))]
    without = []
    for k in range(len(fits)):
        which = everything.copy()
        which[k] = False
        without.append(best(which, q)[1])
    count = len(fits)
    df = count - 2
    sd = np.sqrt((count - 1) / count * ((without - np.mean(without)) ** 2).sum())
    half = stdtrit(df, 0.5 + level / 2) * sd
    b = float(q[1])
    low, high = float(b - half), float(b + half)
    agrees = bool(interval[0] <= b <= interval[1])
    sentence = (
        f"one-stage fit: b = {b:.3f} [{low:.3f}, {high:.3f}], "
        f"{'inside' if agrees else 'OUTSIDE'} the depth-level interval"
    )
    return JointFit(float(np.exp(np.clip(q[0], -30, 30))), b, low, high, agrees, sentence)


def fine_profile(place: np.ndarray, objective: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The profile on a grid fine enough to be read off linearly."""
    index = np.arange(PLACES)
    x = np.interp(np.linspace(0, PLACES - 1, 20 * PLACES), index, place)
    return x, PchipInterpolator(place, objective)(x)


def beyond(theta: np.ndarray, x: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Profiles (K, M) over x (K, M) read off at theta (K,), carried on linearly past their ends so
    that a search comes back."""
    rows = np.arange(len(x))
    right = np.clip((x < theta[:, None]).sum(1), 1, x.shape[1] - 1)
    x0, x1, v0, v1 = (m[rows, at] for m in (x, value) for at in (right - 1, right))
    share = np.clip((theta - x0) / (x1 - x0), 0, 1)
    past = np.maximum(np.maximum(x[:, 0] - theta, theta - x[:, -1]), 0.0)
    return v0 + share * (v1 - v0) + past
