"""The law under every reasonable choice of metric, form, window and treatment of divergence, the
frozen primary marked: what moves with the choice is not a finding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.gamma_star.cells import Cells, cells_of
from analysis.gamma_star.curve_fit import CurveFit, fit_curves, usable
from analysis.gamma_star.depth_law import enough, points_of, power_design
from analysis.gamma_star.explore.formation import bimodal
from analysis.gamma_star.optimum import optima
from analysis.stats.censored_line import interval
from analysis.tables.metrics import METRICS, Scaled, formed, scale

CHOICES = (
    ("two_sided", None), ("two_sided", 2.0), ("cubic", 2.0), ("cubic", 1.5), ("quadratic", 1.5),
    ("quadratic", 1.0),
)  # fmt: skip
COLUMNS = ("arm", "metric", "form", "window", "diverged", "b", "low", "high", "a", "interior",
           "depths", "primary")  # fmt: skip


@dataclass(frozen=True)
class Specification:
    """One choice of everything that could be chosen."""

    metric: str
    form: str
    window: float | None
    diverged: str  # "left out", "as chance", "as best" (of their cell), "formed only"


def curve_of_choices(
    arm: str, runs: pd.DataFrame, use: np.ndarray, primary: Specification
) -> pd.DataFrame:
    """One row a spec, the primary first. use (R,): runs at the chosen rates."""
    choices = [primary]
    there = [m for m in METRICS if m in runs.columns and runs[m].notna().sum() > 5]
    for metric in dict.fromkeys((primary.metric, *there)):
        for form, window in CHOICES:
            choices.append(Specification(metric, form, window, "left out"))
    if (runs["status"] == "diverged").any():
        choices += [Specification(primary.metric, f, w, "as chance") for f, w in CHOICES[:3]]
    if bimodal(runs[use]):
        choices.append(Specification(primary.metric, primary.form, primary.window, "formed only"))
    rows = [
        {**one(runs, use, spec), "arm": arm, "primary": i == 0}
        for i, spec in enumerate(dict.fromkeys(choices))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def one(runs: pd.DataFrame, use: np.ndarray, spec: Specification) -> dict:
    """The law under one choice; NaN where it isn't identified."""
    return law_of(fit_curves(groups_of(runs, use, spec), spec.form, spec.window), spec)


def groups_of(runs: pd.DataFrame, use: np.ndarray, spec: Specification) -> list[Cells]:
    """The cells of each depth that can be fitted under one choice."""
    scaled = scale(runs, spec.metric)
    completed = (runs["status"] == "completed").to_numpy()
    keep = use & completed
    if spec.diverged in ("as chance", "as best") and scaled.ceiling is not None:
        diverged = (runs["status"] == "diverged").to_numpy()
        y = np.where(diverged, np.log(scaled.ceiling), scaled.y)
        if spec.diverged == "as best":
            y = np.where(diverged, best_of_cell(runs, scaled.y, keep), scaled.y)
        scaled = Scaled(y, scaled.censored, scaled.ceiling)
        keep = use & (completed | diverged) & np.isfinite(y)
    if spec.diverged == "formed only":
        keep &= formed(runs)
    return [c for c in cells_of(runs, scaled, keep) if usable(c, spec.form)]


def law_of(fits: list[CurveFit], spec: Specification) -> dict:
    """The law of the depths' curves under one choice; NaN where it isn't identified."""
    found = optima(fits)
    row = {"metric": spec.metric, "form": spec.form, "diverged": spec.diverged,
           "window": np.nan if spec.window is None else spec.window,
           "b": np.nan, "low": np.nan, "high": np.nan, "a": np.nan,
           "interior": sum(o.kind == "interior" for o in found), "depths": len(found)}  # fmt: skip
    points = points_of(found)
    if not enough(points):
        return row
    design = power_design(points)
    b, low, high = interval(points, design, 1)
    a, *_ = interval(points, design, 0)
    return row | {"b": b, "low": low, "high": high, "a": float(np.exp(np.clip(a, -50, 50)))}


def best_of_cell(runs: pd.DataFrame, y: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The least y (R,) of each run's cell among the rows to keep, NaN where there are none."""
    cell = [runs[c] for c in ("depth", "width", "gamma")]
    return pd.Series(np.where(keep, y, np.nan)).groupby(cell).transform("min").to_numpy()
