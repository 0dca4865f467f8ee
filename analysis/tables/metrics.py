"""Each metric has one scale on which less is better, noise is even, and its ceiling is known.

Losses and error rates: y = ln(value), under the chance level. steps_to_solve: y = ln(steps),
right-censored at the end of training, without a ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.tables.checks import to_numbers

METRICS = ("val_loss", "mean_loss", "accuracy", "steps_to_solve")


@dataclass(frozen=True)
class Scaled:
    """Runs on the metric's fitting scale. y (R,); censored (R,): the true y is larger;
    ceiling: chance in the metric's own unit, None without one."""

    y: np.ndarray
    censored: np.ndarray
    ceiling: float | None


def scale(runs: pd.DataFrame, metric: str) -> Scaled:
    """Put `runs` on the metric's scale; NaN where a run has no value.

    Raises InputError where the table lacks the metric's column, or has words there.
    """
    if metric not in runs.columns:
        raise InputError(f"has no column {metric!r} to fit; metrics: {', '.join(METRICS)}")
    value = to_numbers(runs[metric], metric).to_numpy(float)
    never = np.zeros(len(runs), bool)
    chance = float(runs["chance"].median()) if runs["chance"].notna().any() else None
    if metric == "steps_to_solve":
        if "steps" not in runs.columns:
            raise InputError("lacks the column 'steps', where steps_to_solve is censored")
        unsolved = np.isnan(value) & (runs["status"] == "completed").to_numpy()
        value = np.where(unsolved, runs["steps"].to_numpy(float), value)
        return Scaled(np.log(np.where(value > 0, value, np.nan)), unsolved, None)
    if metric == "accuracy":
        return Scaled(log_error(runs), never, None if chance is None else 1 - chance)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(value > 0, np.log(np.maximum(value, 1e-300)), np.nan)
    # A loss of exactly 0 is one that underflowed: below the least that was measured.
    if np.isfinite(y).any():
        y = np.where(value == 0, np.nanmin(y), y)
    ceiling = -np.log(chance) if chance is not None else None
    if "chance_loss" in runs.columns and runs["chance_loss"].notna().any():
        ceiling = float(runs["chance_loss"].median())
    if metric not in ("val_loss", "mean_loss"):
        ceiling = None
    if ceiling is None and np.isfinite(value).any():
        ceiling = 1.02 * float(np.nanmax(value[np.isfinite(value)]))
    return Scaled(y, never, ceiling)


def log_error(runs: pd.DataFrame) -> np.ndarray:
    """ln of the error rate, with half an error added so that 100 % is finite (Anscombe's half)."""
    accuracy = runs["accuracy"].to_numpy(float)
    if "eval_total" in runs.columns and runs["eval_total"].notna().any():
        total = runs["eval_total"].fillna(runs["eval_total"].median()).to_numpy(float)
    else:
        total = np.full(len(runs), 1000.0)
    return np.log(((1 - accuracy) * total + 0.5) / (total + 1))


def unscale(y: np.ndarray, metric: str) -> np.ndarray:
    """From the fitting scale back to the metric's own unit."""
    return 1 - np.exp(y) if metric == "accuracy" else np.exp(y)


def progress(runs: pd.DataFrame) -> np.ndarray:
    """How far each run got, 0 at chance and 1 at the best: by accuracy, else by loss."""
    if "accuracy" in runs.columns and runs["accuracy"].notna().any():
        chance = runs["chance"].fillna(0.0)
        return ((runs["accuracy"] - chance) / (1 - chance)).to_numpy(float)
    value = runs["val_loss"] if "val_loss" in runs.columns else pd.Series(np.nan, runs.index)
    top = -np.log(runs["chance"]) if runs["chance"].notna().any() else value.max()
    return ((top - value) / (top - value.min())).to_numpy(float)


def formed(runs: pd.DataFrame) -> np.ndarray:
    """Which runs formed the mechanism: more than half way from chance to perfect."""
    return progress(runs) > 0.5
