"""Each depth as it is drawn: runs, curve and band in the metric's own unit, and residuals.

A depth that has runs stands here even where no curve could be fitted, with the reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.gamma_star.cells import Cells
from analysis.gamma_star.curve_fit import CurveFit
from analysis.gamma_star.optimum import degrees, no_optimum
from analysis.gamma_star.records import DepthCurve, Optimum
from analysis.tables.metrics import unscale


def depth_curve(fit: CurveFit, best: Optimum, metric: str, observed: pd.DataFrame,
                lack: dict[str, Any]) -> DepthCurve:  # fmt: skip
    """The curve in the metric's unit with a pointwise 95 % band."""
    cells = fit.cells
    gamma = np.exp(np.linspace(*fit.hull, 160))
    y = fit.value(gamma)
    sd = np.sqrt(np.nan_to_num(fit.jackknife(fit.value(gamma, fit.p_without))))
    half = np.minimum(stdtrit(degrees(fit), 0.975) * sd, 20.0)
    fitted, one, other = (unscale(v, metric) for v in (y, y - half, y + half))
    mine = here(observed, cells.depth, cells.width)
    zero = mine[(mine["gamma"] == 0) & mine["used"]]["value"]
    names = ("ln_gamma_star", "ln_alpha", "ln_beta", "h", "logit_floor", "ln_g0")
    if fit.form != "two_sided":
        names = tuple(f"c{i}" for i in range(len(fit.p)))
    return DepthCurve(
        cells.depth, cells.width, metric, gamma, fitted, np.minimum(one, other),
        np.maximum(one, other), mine, float(zero.mean()) if len(zero) else None, best, fit.form,
        {n: float(v) for n, v in zip(names, fit.p, strict=True)}, lack,
    )  # fmt: skip


def here(observed: pd.DataFrame, depth: int, width: int) -> pd.DataFrame:
    """The runs of one depth."""
    mine = observed[(observed["depth"] == depth) & (observed["width"] == width)]
    return mine.drop(columns=["depth", "width"]).reset_index(drop=True)


def without_curve(cells: Cells, metric: str, observed: pd.DataFrame, form: str) -> DepthCurve:
    """A depth with too few gammas, or no variation, for a curve."""
    count = int(cells.positive.sum())
    mean, weight = cells.means()
    flat = np.ptp(mean[weight > 0]) <= 1e-9
    why = f"the {metric} doesn't vary" if flat else f"{count} γ above 0 are too few for a curve"
    return empty(cells.depth, cells.width, metric, observed, form, why)


def empty(depth: int, width: int, metric: str, observed: pd.DataFrame, form: str,
          why: str = "no run converged with a γ of 0 or above") -> DepthCurve:  # fmt: skip
    """A depth that has runs but no curve."""
    none = np.array([])
    return DepthCurve(depth, width, metric, none, none, none, none, here(observed, depth, width),
                      None, no_optimum(depth, width, why), form, {}, {})  # fmt: skip


def residual_table(fits: list[CurveFit], observed: pd.DataFrame) -> pd.DataFrame:
    """Residuals of the used runs on the fitting scale."""
    columns = ["depth", "width", "gamma", "seed", "lr", "fitted", "residual", "standardised"]
    parts = []
    used = observed.loc[observed["used"], ["depth", "width", "gamma", "seed", "lr", "y"]]
    for fit in fits:
        cells = fit.cells
        mine = used[(used["depth"] == cells.depth) & (used["width"] == cells.width)]
        index = np.searchsorted(cells.gamma, mine["gamma"].to_numpy(float))
        kept = fit.keep[np.minimum(index, len(cells.gamma) - 1)]
        mine, index = mine[kept], index[kept]
        fitted = fit.value(cells.gamma[index])
        residual = mine["y"].to_numpy(float) - fitted
        part = mine[["depth", "width", "gamma", "seed", "lr"]].assign(
            fitted=fitted, residual=residual,
            standardised=residual / np.sqrt(cells.variance[index]),
        )  # fmt: skip
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
