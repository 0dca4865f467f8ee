"""Everything that is explored beside the primary law, for every arm."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.gamma_star.attribution import GAIN_ONLY
from analysis.gamma_star.cells import cells_of
from analysis.gamma_star.explore.fungibility import Fungibility, exchange
from analysis.gamma_star.explore.specification import COLUMNS as CHOICES
from analysis.gamma_star.explore.specification import Specification, curve_of_choices
from analysis.gamma_star.explore.training_time import COLUMNS as OVER_TIME
from analysis.gamma_star.explore.training_time import over_lengths, over_time
from analysis.gamma_star.learning_rate import Rates
from analysis.tables.curves import read_curves
from analysis.tables.metrics import Scaled, scale
from analysis.tables.table import Table


@dataclass(frozen=True)
class Explored:
    """The specification curve, b over training time, and fungibility by arm; empty where nothing was
    explored."""

    specification: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(CHOICES)))
    training_time: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=OVER_TIME))
    fungibility: dict[str, Fungibility] = field(default_factory=dict)


def explore_arms(
    table: Table, parts: dict[str, tuple[pd.DataFrame, Rates]], primary: Specification
) -> Explored:
    """parts: each arm's runs with its chosen rates. Raises InputError for unreadable curves."""
    curves = read_curves(table.curves_path)
    choices, times, exchanges = [], [], {}
    zeros = next((p for p, _ in parts.values() if (p["gamma"] == 0).any()), None)
    for arm, (part, rates) in parts.items():
        choices.append(curve_of_choices(arm, part, rates.use, primary))
        if table.shorter is not None:
            times.append(over_lengths(arm, part, rates.use, table.shorter, primary))
        elif curves is not None:
            times.append(over_time(arm, part, rates.use, curves, primary))
        found = fungible(arm, part, rates, primary.metric, zeros)
        if found is not None:
            exchanges[arm] = found
    nothing = pd.DataFrame(columns=OVER_TIME)
    return Explored(
        pd.concat(choices, ignore_index=True),
        pd.concat(times, ignore_index=True) if times else nothing,
        exchanges,
    )


def fungible(arm: str, part: pd.DataFrame, rates: Rates, metric: str,
             zeros: pd.DataFrame | None) -> Fungibility | None:  # fmt: skip
    """Momentum in layers for one arm; None where there is no momentum (the gain alone), widths
    vary or the metric can't be exchanged."""
    if arm == GAIN_ONLY or part["width"].nunique() > 1 or metric == "steps_to_solve":
        return None
    cells = done(part, scale(part, metric), rates.use, metric)
    own = any(c.gamma[0] == 0 for c in cells)
    base = cells if own or zeros is None else done(zeros, scale(zeros, metric), None, metric)
    return exchange(arm, metric, cells, base)


def done(part: pd.DataFrame, scaled: Scaled, use: np.ndarray | None, metric: str):
    """Cells of completed runs (at the chosen rates)."""
    keep = (part["status"] == "completed").to_numpy()
    return cells_of(part, scaled, keep if use is None else keep & use)
