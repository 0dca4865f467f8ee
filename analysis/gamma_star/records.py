"""What a gamma*(N) fit hands on: plain frozen records, complete enough to draw without refitting.

The fields are described in `analysis.gamma_star`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.notebook import Shown
from analysis.tables.laws_json import Law
from analysis.text import number


@dataclass(frozen=True)
class Optimum:
    """The best gamma of one (depth, width); unit of gamma: none."""

    depth: int
    width: int
    kind: str
    gamma: float | None = None
    low: float | None = None
    high: float | None = None
    bound_low: float | None = None
    bound_high: float | None = None
    plateau_low: float | None = None
    plateau_high: float | None = None
    epsilon: float | None = None
    best: float | None = None
    log_se: float | None = None
    label: str = ""


@dataclass(frozen=True)
class DepthCurve:
    """Metric against gamma at one (depth, width), observed and fitted."""

    depth: int
    width: int
    metric: str
    gamma: np.ndarray
    fitted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    observed: pd.DataFrame
    zero: float | None
    optimum: Optimum
    form: str
    parameters: dict[str, float]
    misfit: dict[str, Any]


@dataclass(frozen=True)
class DepthLine:
    """gamma*(N) on a grid of depths at `width`: estimate, 95 % band of the line, of a new depth."""

    width: int
    depth: np.ndarray
    gamma: np.ndarray
    low: np.ndarray
    high: np.ndarray
    predict_low: np.ndarray
    predict_high: np.ndarray


@dataclass(frozen=True)
class RivalFit:
    """Another law through the same optima; `delta_ic` > 0 says that it is worse than N^-b."""

    name: str
    nested: bool
    delta_ic: float | None
    depth: np.ndarray
    gamma: np.ndarray
    parameters: dict[str, float]
    excluded: bool
    description: str


@dataclass(frozen=True)
class HeldOut:
    """Depths left out, predicted from the rest."""

    condition: str
    depth: int
    width: int
    predicted: float
    low: float
    high: float
    observed: float | None
    observed_kind: str
    inside: bool | None
    log_error: float | None
    constant_log_error: float | None
    better_than_constant: bool | None
    naive: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class JointFit:
    """The one-stage fit of all depths' curves at once, the depth-level regression's cross-check."""

    a: float
    b: float
    b_low: float | None
    b_high: float | None
    agrees: bool | None
    sentence: str


@dataclass(frozen=True)
class GammaStarFit:
    """One arm's fit."""

    arm: str
    metric: str
    form: str
    window: float | None
    curves: list[DepthCurve]
    line: DepthLine | None
    law: Law
    rivals: list[RivalFit]
    held_out: HeldOut | None
    joint: JointFit | None
    residuals: pd.DataFrame
    sentences: list[str]


@dataclass(frozen=True)
class FitResult(Shown):
    """All arms of one table."""

    laws: list[Law]
    arms: dict[str, GammaStarFit]
    metric: str
    form: str
    window: float | None
    attribution: dict[str, Any]
    specification: pd.DataFrame
    training_time: pd.DataFrame
    divergence: pd.DataFrame
    formation: pd.DataFrame
    learning_rates: pd.DataFrame
    fungibility: dict[str, Any]
    notes: list[str]
    partial: bool
    provenance: dict[str, Any] = field(default_factory=dict)
    """What it rests on, and whether that was frozen (see `analysis.gamma_star.provenance`)."""


def optimum_json(o: Optimum) -> dict[str, Any]:
    """A depth's optimum in laws.json."""
    names = ("depth", "width", "kind", "gamma", "low", "high", "bound_low", "bound_high",
             "plateau_low", "plateau_high", "epsilon", "best", "log_se")  # fmt: skip
    return {name: getattr(o, name) for name in names}


def rival_json(r: RivalFit) -> dict[str, Any]:
    """A rival in laws.json."""
    return {"name": r.name, "nested": r.nested, "delta_ic": r.delta_ic, "excluded": r.excluded,
            "parameters": r.parameters, "description": r.description}  # fmt: skip


def held_sentence(h: HeldOut) -> str:
    """A held-out depth in a sentence: prediction, interval, error against naive rivals."""
    said = (f"held out ({h.condition}) depth {h.depth}: predicted {number(h.predicted)} "
            f"[{number(h.low)}, {number(h.high)}]")  # fmt: skip
    if h.observed is None:
        return f"{said}, no optimum inside the grid there"
    rest = ", ".join(f"{name} {100 * np.expm1(v):.0f} %" for name, v in h.naive.items())
    return (f"{said}, seen {number(h.observed)} ({'inside' if h.inside else 'OUTSIDE'}); off by "
            f"{100 * np.expm1(h.log_error):.0f} % ({rest})")  # fmt: skip
