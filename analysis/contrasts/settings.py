"""What may be chosen within an arm, and the choice: made on some seeds, judged on the others.

A setting is whatever of the momentum's config and the learning rate varies within the arm; an arm
without such columns is set by gamma and lr. Runs at gamma = 0 are plain attention whatever their
arm, and form the arm "none".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.tables.table import Table
from analysis.tables.units import tuning_rows
from analysis.text import number

NONE = "none"
NAMES = {"gamma": "γ", "model.momentum.gamma": "γ", "model.momentum.angle": "φ", "lr": "lr",
         "optim.lr": "lr"}  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """label: the setting; judged: its rows on the seeds that judge; how: who chose."""

    label: str
    judged: pd.DataFrame
    how: str


def arms_of(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows with plain attention under the arm "none", one row a rate and seed; under
    "none (ARM)" where ARM changes the model in more than its momentum (no positions, say)."""
    plain = (runs["gamma"] == 0).to_numpy()
    own = [c for c in runs.columns if c.startswith("model.") and not c.startswith("model.momentum.")
           and c not in ("model.depth", "model.width")]  # fmt: skip
    model = runs[own].map(str).agg("|".join, axis=1) if own else pd.Series("", runs.index)
    arm = runs["arm"].to_numpy().astype(object)
    arm[plain] = NONE
    for _, rows in model[plain].groupby([runs["width"][plain], runs["depth"][plain]]):
        other = rows.index[rows != rows.mode().iloc[0]]
        arm[other] = [f"{NONE} ({a})" for a in runs["arm"][other]]
    named = runs.assign(arm=arm)
    twice = plain & named.duplicated(["arm", "width", "depth", "lr", "seed"]).to_numpy()
    return named[~twice].reset_index(drop=True)


def plain_of(arm: str, names) -> str | None:
    """The arm of plain attention that `arm` is to be compared with; None for one of these."""
    if arm.startswith(NONE):
        return None
    return next((n for n in (f"{NONE} ({arm})", NONE) if n in names), None)


def setting_columns(part: pd.DataFrame) -> list[str]:
    """The columns that tell an arm's settings apart."""
    own = [c for c in part.columns if c.startswith("model.momentum.") and c != "model.momentum.arm"]
    own = [*(own or ["gamma"]), "lr"]
    if (part["gamma"] == 0).all():
        own = ["lr"]
    return [c for c in own if part[c].map(str).nunique() > 1]


def setting_label(part: pd.DataFrame, columns: list[str]) -> str:
    """One setting's own values: "γ = 0.4, lr = 0.003"."""
    row = part.iloc[0]
    shown = list(columns)
    named = {"gamma", "model.momentum.gamma", "model.momentum.angle"} & set(columns)
    if not named and pd.notna(row["gamma"]) and row["gamma"] != 0:
        shown.insert(0, "gamma")
    said = []
    for column in dict.fromkeys([*shown, "lr"]):
        value = row[column]
        if isinstance(value, float) and np.isnan(value) or value is None:
            continue
        name = NAMES.get(column, column.rpartition(".")[2])
        if name == "γ" and pd.isna(row["gamma"]):
            name = "start γ"
        text = number(value) if isinstance(value, float) else str(value)
        said.append(f"{name} = {text}" + ("°" if column.endswith(".angle") else ""))
    return ", ".join(said)


def choose(table: Table, part: pd.DataFrame, columns: list[str]) -> Chosen:
    """The best setting of one arm at one depth by the column `y` (less is better).

    part: its rows with `y`, a diverged run's at chance. The tuning seeds choose where the
    reported settings were run on them; else the first half of the reported seeds does, and the
    other half judges. A single setting is judged on all reported seeds.
    """
    tuning = tuning_rows(part, table.primary.tuning_seeds)
    reported = part[~tuning] if (~tuning).any() else part
    text = pd.Series("", part.index)
    for column in columns:
        text = text + "|" + part[column].map(str)
    names = text[reported.index]
    if names.nunique() == 1:
        return Chosen(setting_label(reported, columns), reported, "nothing to choose")
    tuned = part[tuning & text.isin(names)]
    if tuning.any() and set(text[tuned.index]) == set(names):
        best = least(tuned["y"], text[tuned.index])
        return Chosen(setting_label(reported[names == best], columns), reported[names == best],
                      f"chosen on seeds {listed(tuned['seed'])}")  # fmt: skip
    seeds = np.sort(reported["seed"].unique())
    if len(seeds) < 2:
        best = least(reported["y"], names)
        return Chosen(setting_label(reported[names == best], columns), reported[names == best],
                      "chosen on the judged seed itself")  # fmt: skip
    half = reported["seed"].isin(seeds[: len(seeds) // 2])
    best = least(reported["y"][half], names[half])
    judged = reported[~half & (names == best)]
    return Chosen(setting_label(reported[names == best], columns), judged,
                  f"chosen on seeds {listed(seeds[: len(seeds) // 2])}")  # fmt: skip


def least(y: pd.Series, names: pd.Series) -> str:
    """The setting with the least mean, among those run on at least half as many seeds as any."""
    found = y.groupby(names).agg(["mean", "count"])
    return str(found[found["count"] >= found["count"].max() / 2]["mean"].idxmin())


def listed(seeds) -> str:
    """0-3 or 0, 2, 5."""
    s = sorted({int(v) for v in seeds})
    run = len(s) > 2 and s[-1] - s[0] == len(s) - 1
    return f"{s[0]}-{s[-1]}" if run else ", ".join(map(str, s))
