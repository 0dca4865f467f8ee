"""What a reader must know beside the law, one sentence each: rates, divergence, formation, choices."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.gamma_star.learning_rate import Rates
from analysis.text import estimate, number


def on_rates(arm: str, rates: Rates, check: dict[str, Any]) -> str:
    """The rates that the arm's reported runs were trained at, and how they were chosen. check: the
    law's."""
    table = rates.table.dropna(subset=["lr"])
    if table.empty or table["tuned_on"].eq("").all():
        return f"{arm}: {check['finding']}"
    parts = []
    several = table["width"].nunique() > 1
    for (width, depth), rows in table.groupby(["width", "depth"]):
        low, high = rows["lr"].min(), rows["lr"].max()
        shown = number(low, 2) if low == high else f"{number(low, 2)}-{number(high, 2)}"
        parts.append(f"{shown} at depth {depth}" + (f", width {width}" if several else ""))
    return f"{arm}: learning rates: {check['finding']}; trained at " + ", ".join(parts)


def on_divergence(table: pd.DataFrame) -> list[str]:
    """How many runs diverged and where (what b would be with them stands with the arm)."""
    out = []
    for arm, rows in table.groupby("arm", sort=False):
        lost = int(rows["diverged"].sum())
        if not lost:
            continue
        worst = rows.loc[rows["rate"].idxmax()]
        sentence = (f"{arm}: {lost} of {int(rows['runs'].sum())} runs diverged, most at depth "
                 f"{int(worst['depth'])}, γ = {number(worst['gamma'])} ({worst['rate']:.0%}); the "
                 f"law is conditional on convergence")  # fmt: skip
        out.append(sentence)
    return out


def on_formation(table: pd.DataFrame, bimodal: list[str]) -> list[str]:
    """Where runs either form or don't: the rate of formation (its law stands with the arm)."""
    out = []
    for arm in bimodal:
        rows = table[table["arm"] == arm]
        mixed = rows[(rows["rate"] > 0) & (rows["rate"] < 1)]
        sentence = (f"{arm}: runs either form or don't ({len(mixed)} cells of mixed outcome); rate of "
                 f"formation {rows['formed'].sum() / rows['runs'].sum():.0%}")  # fmt: skip
        out.append(sentence)
    return out


def on_lengths(table: pd.DataFrame) -> list[str]:
    """What b is at each length that was trained with a cooldown of its own."""
    if not len(table) or not table["annealed"].all():
        return []
    out = []
    for arm, rows in table[table["b"].notna()].groupby("arm", sort=False):
        each = [
            f"{estimate(r.b, r.low, r.high, 2)} at {r.step}"
            for r in rows.sort_values("step").itertuples()
        ]
        out.append(f"{arm}: b by the steps that a run trains: " + ", ".join(each))
    return out


def on_choices(specification: pd.DataFrame) -> list[str]:
    """How far b runs over every choice of metric, form and window."""
    out = []
    for arm, rows in specification.groupby("arm", sort=False):
        told = rows["b"].dropna()
        if len(told) > 1:
            out.append(f"{arm}: over {len(told)} choices of metric, form and window b runs from "
                       f"{number(told.min(), 2)} to {number(told.max(), 2)}")  # fmt: skip
    return out
