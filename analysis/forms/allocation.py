"""The best N and D for a compute budget, by a fitted law of N and D.

Guarantee: the minimum is the law's own, found on the line C = k N D; an optimum that the law does
not have (loss falling towards an end of that line) is refused, never reported at an end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import InputError
from analysis.forms.form import Form
from analysis.forms.law import FittedLaw
from analysis.stats.minima import vertex
from analysis.text import number

SHARES = np.linspace(0.02, 0.98, 2001)  # places tried on the line, as shares of ln(C/k)


@dataclass(frozen=True)
class Allocation:
    """At `flops`: N, D, L as (estimate, low, high), ends None without replicates; outside: what
    lies beyond the table, in words."""

    flops: float
    size: tuple[float, float | None, float | None]
    tokens: tuple[float, float | None, float | None]
    loss: tuple[float, float | None, float | None]
    replicates: int
    outside: tuple[str, ...]


def best(form: Form, parameters: dict[str, float], flops: float, per_token: float) -> np.ndarray:
    """(ln N, ln D, ln L) at the law's minimum on flops = per_token · N · D; nan without one."""
    total = np.log(flops / per_token)
    log_n = SHARES * total
    with np.errstate(all="ignore"):
        columns = {"N": np.exp(log_n), "D": np.exp(total - log_n)}
        loss = np.log(np.broadcast_to(form.predict(parameters, columns), log_n.shape))
    if not np.isfinite(loss).any():
        return np.full(3, np.nan)
    at = int(np.nanargmin(loss))
    if at in {0, log_n.size - 1} or not np.isfinite(loss[at - 1 : at + 2]).all():
        return np.full(3, np.nan)
    n = float(vertex(log_n[at - 1 : at + 2], loss[at - 1 : at + 2]))
    return np.array([n, total - n, loss[at]])


def possible(form: Form | None, flops: float, per_token: float) -> None:
    """Raise InputError where no fit could give an allocation: asked before one is made."""
    if form is None or {*form.variables} - {form.response} != {"N", "D"}:
        raise InputError("an allocation needs a law of N and D, e.g. chinchilla or over-training")
    if not (np.isfinite(flops) and flops > per_token and per_token > 0):
        raise InputError(f"--flops {flops:g}: more than --flops-per-token {per_token:g}, positive")


def allocate(fitted: FittedLaw, flops: float, per_token: float = 6.0) -> Allocation:
    """The allocation by a law fitted with --bootstrap replicates (without: no interval).

    flops C > 0; per_token: FLOPs per parameter and token. Raises InputError where the form has
    other variables than N and D, a parameter has no value, or there is no minimum.
    """
    form = fitted.form
    possible(form, flops, per_token)
    values = {n: p.estimate for n, p in fitted.law.parameters.items()}
    if lost := [n for n, v in values.items() if v is None]:
        raise InputError(f"no allocation: {lost[0]} has no finite value")
    centre = best(form, values, flops, per_token)
    if not np.isfinite(centre).all():
        raise InputError(f"the law has no best N and D at {flops:g} FLOPs")
    samples = [e.samples for e in fitted.fit.estimates if e.samples is not None]
    drawn = [
        best(form, dict(zip(values, map(float, row), strict=True)), flops, per_token)
        for row in np.transpose(samples)
    ]
    ends = np.full((2, 3), np.nan)
    kept = np.array([d for d in drawn if np.isfinite(d).all()])
    tail = (1 - fitted.law.level) / 2
    if drawn and len(kept) >= (1 - tail) * len(drawn):  # lost replicates stay inside the tails
        ends = np.quantile(kept, [tail, 1 - tail], axis=0)
    shown = [
        (float(np.exp(c)), *(float(np.exp(v)) if np.isfinite(v) else None for v in pair))
        for c, pair in zip(centre, ends.T, strict=True)
    ]
    outside = []
    for name, (value, *_) in zip(("N", "D"), shown, strict=False):
        seen = fitted.columns[name]
        if not seen.min() <= value <= seen.max():
            past = value / seen.max() if value > seen.max() else seen.min() / value
            outside.append(f"{name} lies {number(past)} times beyond the table")
    return Allocation(flops, *shown, len(drawn), tuple(outside))
