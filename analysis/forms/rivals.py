"""Simpler laws on the same rows: is the law needed, and is it told apart from its rivals?

Guarantee: every rival is fitted under the same loss as the law, and compared by one number,
`delta` = 2 (S_rival - S_law) / noise + 2 (p_rival - p_law): an information criterion under the
calibrated loss, positive where the rival is worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.forms.automatic import constrained
from analysis.forms.fit import Fit, Problem
from analysis.forms.form import Form
from analysis.forms.models.linear import Linear, LogLinear
from analysis.forms.power_sum import power_sum_problem
from analysis.stats.clusters import design_effect
from analysis.stats.search import search

APART = 4.0  # an information criterion differing by less tells nothing apart


@dataclass(frozen=True)
class Rival:
    """One simpler law beside the law fitted.

    nested: it is the law with parameters fixed; drops: the parameters that the law has on top.
    delta: see the module; needed: for nested ones, whether the data reject it at 1 %. least: the
    smallest effect of what the law has on top (rms, in units of the residuals' own) that would be
    seen at 1 %; times: how many times the rows would see the effect that is there (both of nested
    ones; times None where there is no trace of it).
    """

    name: str
    nested: bool
    drops: tuple[str, ...]
    delta: float
    needed: bool | None
    parameters: int
    least: float | None = None
    times: float | None = None


def simpler(form: Form, columns: dict[str, np.ndarray]) -> list[tuple]:
    """The form's simpler laws, as `compare` takes them."""
    y = columns[form.response]
    log_y = np.log(y)
    found: list[tuple] = []
    for name in form.smaller:
        if name.startswith("without "):
            left_out = name.removeprefix("without ")
            kept = [v for v in form.variables if v not in {left_out, form.response}]
            names = [(f"A_{v}", f"alpha_{v}") for v in kept]
            given = power_sum_problem([columns[v] for v in kept], y, names, floor="E")
            drops = _drops(form.name, left_out)
            found.append((name, True, drops, given))
            continue
        if "=" in name:  # the form itself with a parameter held
            held, _, value = name.partition("=")
            given = constrained(form, {held: float(value)}, {}).problem(columns)
            found.append((name, True, (held,), given))
            continue
        if form.name not in {"power", "offset-power"} or form.smaller == ("constant",):
            found.append((name, False, (), straight(None, log_y)))
            continue
        x = columns["x"]
        log_x = np.log(x)
        # the constant and the power law are the offset power law with parameters fixed
        if name == "constant":
            drops = ("exponent",) if form.name == "power" else ("coefficient", "exponent")
            found.append((name, True, drops, straight(None, log_y)))
        elif name == "power":
            found.append((name, True, ("E",), straight(log_x, log_y)))
        elif name == "logarithmic":
            nested = form.name == "offset-power"
            given = logarithmic(log_x, log_y)
            found.append((name, nested, ("E", "coefficient") if nested else (), given))
        elif name == "exponential":
            found.append((name, False, (), straight(x, log_y)))
        elif name == "step":
            found.append((name, False, (), step(x, log_y)))
    return found


def _drops(form: str, variable: str) -> tuple[str, ...]:
    if form == "chinchilla":
        return {"N": ("A", "alpha"), "D": ("B", "beta")}[variable]
    return f"A_{variable}", f"alpha_{variable}"


def logarithmic(log_x: np.ndarray, log_y: np.ndarray):
    """f = u + v ln x -> (model, starts)."""
    design = np.stack([np.ones_like(log_x), log_x - log_x.mean()], axis=1)
    weight = np.exp(-log_y)
    theta, *_ = np.linalg.lstsq(design * weight[:, None], np.ones_like(log_y), rcond=None)
    flat = np.array([np.exp(log_y.mean()), 0.0])
    return Linear(design), np.stack([theta, flat])


def straight(column: np.ndarray | None, log_y: np.ndarray):
    """ln f = u (+ v column) -> (model, starts)."""
    parts = [np.ones_like(log_y)]
    if column is not None and np.ptp(column) > 0:
        parts.append((column - column.mean()) / column.std())
    design = np.stack(parts, axis=1)
    theta, *_ = np.linalg.lstsq(design, log_y, rcond=None)
    return LogLinear(design), theta[None]


def step(x: np.ndarray, log_y: np.ndarray):
    """ln f = u below the best of all splits of x, v above -> (model, starts)."""
    levels = np.unique(x)
    splits = levels[1:] if levels.size <= 200 else np.quantile(levels, np.linspace(0, 1, 200))[1:]
    best, lowest = None, np.inf
    for split in splits:
        above = x >= split
        if 1 < above.sum() < x.size - 1:  # two rows a side: one alone is an outlier, not a level
            cost = above.sum() * log_y[above].var() + (~above).sum() * log_y[~above].var()
            if cost < lowest:
                best, lowest = above, cost
    if best is None:
        return straight(None, log_y)
    design = np.stack([np.ones_like(log_y), best.astype(float)], axis=1)
    theta, *_ = np.linalg.lstsq(design, log_y, rcond=None)
    return LogLinear(design), theta[None]


def compare(
    problem: Problem,
    fit: Fit,
    simple: list[tuple[str, bool, tuple[str, ...], object]],
) -> list[Rival]:
    """Fit each (name, nested, drops, (model, starts) or Problem) and compare it with the law."""
    found = []
    n, p = problem.log_y.size, problem.model.size
    noise = fit.noise
    if problem.unit is not None:  # what units share is no evidence row by row
        noise *= design_effect(fit.loss.psi(fit.residuals), problem.unit)
        n = int(problem.unit.max()) + 1
    for name, nested, drops, given in simple:
        if isinstance(given, Problem):
            model, starts = given.model, given.starts(fit.loss)[:4]
        else:
            model, starts = given
        value = search(problem.scaled(model), starts, problem.log_y, fit.loss).value
        rise = 2 * (value - fit.optimum.value) / noise
        size = model.size + (name == "step")  # where it steps was chosen as well
        extra = p - size
        needed = least = times = None
        if nested:
            # an unknown exponent is searched over, which raises the best rise that noise reaches
            searched = 1.25 if extra > 1 else 1.0
            bar = searched * extra * stats.f.ppf(0.99, max(extra, 1), max(n - p, 1))
            needed = bool(rise > bar)
            least = float(np.sqrt(bar / n))
            told = needed or rise <= 2 * extra  # noise alone gives about `extra`
            times = None if told else float(bar / (rise - extra))
        found.append(
            Rival(name, nested, drops, float(rise - 2 * extra), needed, size, least, times)
        )
    return found
