"""What a law form is: its variables, its parameters and the problem it poses on given columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from analysis.forms.fit import Problem


@dataclass(frozen=True)
class Range:
    """What a parameter is and where its starts lie. kind: "floor" | "coefficient" | "exponent";
    log: positive, searched in its logarithm; within: low and high are times this column's ends."""

    kind: str
    low: float
    high: float
    log: bool
    within: str | None = None


@dataclass(frozen=True)
class Form:
    """One law form of `analysis law`.

    variables: names to map, the response last, without those only one of which is needed
    (`either`). loss: the default of --loss. problem: columns (n,) by name -> Problem.
    predict: (parameters by name, columns by name) -> f (n,).
    """

    name: str
    text: str
    variables: tuple[str, ...]
    response: str
    loss: str
    source: str
    problem: Callable[[dict[str, np.ndarray]], Problem]
    predict: Callable[[dict[str, float], dict[str, np.ndarray]], np.ndarray]
    either: tuple[str, ...] = ()
    smaller: tuple[str, ...] = ()
    """Names of simpler laws of `analysis.forms.rivals` that this one is compared with."""
    parameters: dict[str, Range] = field(default_factory=dict)
    """Each parameter with the box that automatic starts are drawn from."""
