"""Runs that are reported were trained at a rate chosen on other seeds, and the choice is printed.

Per arm and depth: the tuning seeds' metric as a quadratic in ln lr whose place moves linearly
with ln |gamma|, for either sign of gamma by itself (the part of a quadratic surface in (ln gamma,
ln lr) that concerns lr, with a free level for each gamma, so that the curve in gamma needn't be
quadratic). A reported gamma that was not tuned itself takes the rate that its tuned neighbours want.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.tables.units import tuning_rows
from analysis.text import named_depths, number

LEAST_RATES = 5
FAR = 2.0  # a reported rate further than this factor from the wanted one is mistuned
COLUMNS = ["depth", "width", "gamma", "lr", "wanted", "rates", "tuned_on", "at_edge"]


@dataclass(frozen=True)
class Rates:
    """use (R,) bool: the runs at the chosen rate on reported seeds; table: one row a choice;
    check: whether the arm's rates were tuned."""

    use: np.ndarray
    table: pd.DataFrame
    check: dict[str, Any]


def choose(runs: pd.DataFrame, y: np.ndarray, tuning_seeds: tuple[int, ...] | None) -> Rates:
    """Choose rates for one arm's runs. y (R,): metric on its scale, NaN where there is none."""
    usable = np.isfinite(y) & (runs["status"] == "completed").to_numpy()
    use = np.zeros(len(runs), bool)
    rows: list[dict[str, Any]] = []
    groups = runs.groupby(["width", "depth"], sort=True).indices
    for (width, depth), index in groups.items():
        rates = np.sort(runs["lr"].iloc[index].dropna().unique())
        place = {"depth": int(depth), "width": int(width)}
        if len(rates) <= 1:
            keep = without_tuning(runs.iloc[index], tuning_seeds)
            use[index[keep]] = True
            lr = float(rates[0]) if len(rates) else None
            rows.append({**place, "gamma": None, "lr": lr, "wanted": None, "rates": len(rates),
                         "tuned_on": "", "at_edge": None})  # fmt: skip
            continue
        part = runs.iloc[index]
        tuning, how = split(part, tuning_seeds)
        best = surface(part[tuning & usable[index]], y[index][tuning & usable[index]])
        reported = ~tuning if how != "the reported seeds" else np.ones(len(part), bool)
        of_gamma, of_lr = part["gamma"].to_numpy(float), part["lr"].to_numpy(float)
        known = reported & np.isfinite(of_gamma)
        for gamma in np.unique(of_gamma[known]) if best else ():
            wanted, tested = at_gamma(best, float(gamma))
            same = (of_gamma == gamma) & reported
            there = np.unique(of_lr[same & np.isfinite(of_lr)])
            if not len(there):
                continue
            lr = float(there[np.argmin(np.abs(np.log(there) - wanted))])
            use[index[same & (of_lr == lr)]] = True
            edge = bool(wanted <= np.log(tested[0]) + 1e-9 or wanted >= np.log(tested[-1]) - 1e-9)
            rows.append({**place, "gamma": float(gamma), "lr": lr, "wanted": float(np.exp(wanted)),
                         "rates": len(tested), "tuned_on": how, "at_edge": edge})  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    return Rates(use, table, rates_check(table))


def without_tuning(part: pd.DataFrame, tuning_seeds: tuple[int, ...] | None) -> np.ndarray:
    """With one rate nothing was tuned on the tuning seeds: they are left out only if others stay."""
    if not tuning_seeds:
        return np.ones(len(part), bool)
    reported = ~part["seed"].isin(tuning_seeds).to_numpy()
    return reported if reported.any() else np.ones(len(part), bool)


def split(part: pd.DataFrame, given: tuple[int, ...] | None) -> tuple[np.ndarray, str]:
    """Which rows of a depth tune (bool), and in words on what."""
    seeds = np.sort(part["seed"].unique())
    tuning = tuning_rows(part, given)
    if tuning.any():
        return tuning, f"seeds {listed_seeds(part['seed'][tuning])}"
    if len(seeds) < 2:
        return np.ones(len(part), bool), "the reported seeds"
    half = seeds[: max(len(seeds) // 2, 1)]
    return part["seed"].isin(half).to_numpy(), f"seeds {listed_seeds(half)}"


def listed_seeds(seeds: Any) -> str:
    """0, 1, 2 of whatever holds seeds."""
    return ", ".join(str(s) for s in np.unique(seeds))


def at_gamma(best: list[tuple[float, float, np.ndarray]], gamma: float) -> tuple[float, np.ndarray]:
    """(wanted ln lr, the rates tested) at any gamma: linear in ln |gamma| between the tuned ones of
    its sign, the nearest tuned one's elsewhere. best: what `surface` returned, not empty."""
    tuned = np.array([g for g, *_ in best])
    same = (np.sign(tuned) == np.sign(gamma)) & (tuned != 0)
    if same.any():
        away = np.where(same, np.abs(np.log(np.where(same, tuned / gamma, 1.0))), np.inf)
        order = np.argsort(np.abs(tuned[same]))
        wanted = np.interp(np.log(abs(gamma)), np.log(np.abs(tuned[same]))[order],
                           np.array([w for _, w, _ in best])[same][order])  # fmt: skip
        return float(wanted), best[int(np.argmin(away))][2]
    nearest = best[int(np.argmin(np.abs(tuned - gamma)))]
    return nearest[1], nearest[2]


def surface(part: pd.DataFrame, y: np.ndarray) -> list[tuple[float, float, np.ndarray]]:
    """(gamma, best ln lr, the rates tested) for every gamma of the tuning rows."""
    frame = pd.DataFrame({"gamma": part["gamma"].to_numpy(), "lr": part["lr"].to_numpy(), "y": y})
    mean = frame.dropna().groupby(["gamma", "lr"])["y"].mean().unstack("lr")
    gammas, log_lr = mean.index.to_numpy(float), np.log(mean.columns.to_numpy(float))
    if mean.empty:
        return []
    z = mean.to_numpy(float)
    x = np.log(np.where(gammas == 0, 1.0, np.abs(gammas)))
    fits = {side: fit_surface(x[np.sign(gammas) == side], log_lr, z[np.sign(gammas) == side])
            for side in np.unique(np.sign(gammas))}  # fmt: skip
    out = []
    for i, gamma in enumerate(gammas):
        tested = np.flatnonzero(np.isfinite(z[i]))
        least = log_lr[tested[np.argmin(z[i, tested])]]
        fit = fits[np.sign(gamma)]
        if fit is None:
            wanted = least
        else:
            wanted = -(fit[0] + fit[1] * x[i]) / (2 * fit[2])
        low, high = log_lr[tested[0]], log_lr[tested[-1]]
        out.append((float(gamma), float(np.clip(wanted, low, high)), np.exp(log_lr[tested])))
    return out


def fit_surface(x: np.ndarray, log_lr: np.ndarray, z: np.ndarray) -> np.ndarray | None:
    """c1, c2, c3 of z = level(gamma) + (c1 + c2 x) l + c3 l^2; None unless it has a minimum.

    Only rates within reach of each gamma's best count: a quadratic is true near the minimum.
    """
    rows, target = [], []
    for i in range(len(x)):
        ok = np.isfinite(z[i])
        if ok.sum() < 3:
            continue
        near = ok & (np.abs(np.arange(len(log_lr)) - np.nanargmin(z[i])) <= 2)
        level = np.zeros((near.sum(), len(x)))
        level[:, i] = 1
        lr = log_lr[near]
        rows.append(np.column_stack([lr, x[i] * lr, lr**2, level]))
        target.append(z[i, near])
    if not rows:
        return None
    c = np.linalg.lstsq(np.vstack(rows), np.concatenate(target), rcond=None)[0]
    return c[:3] if c[2] > 1e-9 else None


def rates_check(
    table: pd.DataFrame, at_optimum: dict[tuple[int, int], tuple[float, bool]] | None = None
) -> dict[str, Any]:
    """Whether each depth's rate was found, not assumed. at_optimum: by (depth, width) the factor
    between the reported rate and the best one at gamma*, and whether that lies past the tuned rates;
    without it most of the depth's gammas decide."""
    lrs = table["lr"].dropna()
    if lrs.empty:
        return {"passed": False, "value": None, "finding": "the learning rates are not known"}
    depths = table.groupby(["depth", "width"])
    single = table["tuned_on"].eq("").all()
    if single and lrs.nunique() == 1:
        many = len(depths) > 1
        return {
            "passed": False if many else None, "value": float(lrs.iloc[0]),
            "finding": f"one learning rate ({lrs.iloc[0]:g}) served all {len(depths)} depths; "
                     "a mistuned depth moves its optimum",
        }  # fmt: skip
    if single:
        return {"passed": None, "value": None,
                "finding": "the rate differs by depth and no row of this table tuned it: whether "
                           "γ* follows the depth or the rate is undecided"}  # fmt: skip
    # a run that was lost takes its gamma a rate; a depth whose most gammas have few was not tuned
    few = [int(d) for (d, _), g in depths if g["rates"].median() < LEAST_RATES]
    edges = table[table["at_edge"].eq(True)]
    own = table["tuned_on"].eq("the reported seeds").any()
    off = np.exp(np.abs(np.log(table["lr"].astype(float) / table["wanted"].astype(float))))
    # A gamma far from the optimum may want a rate past the grid without harm; a depth whose most
    # gammas do was not tuned.
    far = [int(d) for (d, _), g in depths if off[g.index].median() > FAR]
    bad = [int(d) for (d, _), g in depths if g["at_edge"].eq(True).mean() > 0.5]
    furthest = off.max()
    if at_optimum:
        furthest = max(factor for factor, _ in at_optimum.values())
        far = [d for (d, _), (factor, _) in at_optimum.items() if factor > FAR]
        bad = [d for (d, _), (_, past) in at_optimum.items() if past]
        edges = edges.iloc[:0]
    findings = []
    if few:
        findings.append(f"fewer than {LEAST_RATES} rates at {named_depths(few)}")
    if bad:
        findings.append(f"the best rate lies at the grid's edge at {named_depths(bad)}")
    elif len(edges):
        findings.append(f"a rate at the grid's edge in {len(edges)} of {len(table)} choices")
    if far:
        findings.append(f"the reported rates are off the wanted ones by more than a factor of {FAR:g} "
                     f"at {named_depths(far)}")  # fmt: skip
    if own:
        findings.append("tuned on the reported seeds themselves")
    tuned = f"tuned per depth on {table['tuned_on'].iloc[-1]}, reported within a factor of {number(furthest, 2)}"
    return {
        "passed": not (few or bad or own or far), "value": int(table["rates"].min()),
        "finding": "; ".join(findings) or tuned,
    }  # fmt: skip
