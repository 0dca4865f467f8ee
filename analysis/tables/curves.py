"""The evaluations during training: read once, by one reader, and the steps to a loss off them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.tables.read import read_frame

NEEDED = ("run_id", "step", "val_loss")


def read_curves(path: Path) -> pd.DataFrame | None:
    """curves.parquet: run_id, step, val_loss and what else stands there, one row an evaluation;
    None where there is none. Raises InputError for one that can't be read."""
    if not path.is_file():
        return None
    curves, _ = read_frame(path)
    lacking = [c for c in NEEDED if c not in curves.columns]
    if lacking:
        raise InputError(f"{path}: lacks the column {lacking[0]!r}")
    return curves


def tracks(curves: pd.DataFrame, metric: str) -> dict[str, np.ndarray]:
    """Each run's steps and finite values of a metric (n, 2), by step."""
    kept = curves[np.isfinite(curves[metric].astype(float))].sort_values(["run_id", "step"])
    runs, points = kept["run_id"].to_numpy(), kept[["step", metric]].to_numpy(float)
    begins = np.flatnonzero(runs[1:] != runs[:-1]) + 1
    parts = np.split(points, begins) if len(runs) else []
    return dict(zip(runs[[0, *begins]] if len(runs) else [], parts, strict=True))


def log_steps(track: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """ln of the steps (L,) until one run's loss is first at or below each of losses (L,).

    track (n, 2): its steps and losses. Log-log interpolated between evaluations; inf where it is never
    reached. A loss that the first evaluation is already below counts as reached there.
    """
    out = np.full(len(losses), np.inf)
    if not len(track):
        return out
    x = np.log(track[:, 0])
    y = np.log(np.maximum(np.minimum.accumulate(track[:, 1]), 1e-300))
    target = np.log(losses)
    first = np.searchsorted(-y, -target)  # y falls: the first evaluation at or below
    reached = first < len(y)
    right = np.minimum(first, len(y) - 1)
    left = np.maximum(right - 1, 0)
    gap = y[left] - y[right]
    share = np.where(gap > 0, (y[left] - target) / np.where(gap > 0, gap, 1.0), 1.0)
    found = x[left] + np.clip(share, 0, 1) * (x[right] - x[left])
    out[reached] = found[reached]
    return out
