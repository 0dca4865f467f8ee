"""Runs of several lengths of the same models: the law is of the longest, the others say how it comes to be."""

from __future__ import annotations

import pandas as pd

LENGTH = ("steps", "tokens", "budget.steps", "budget.evals", "budget.spacing", "budget.eval_steps",
          "budget.solve_at")  # fmt: skip
"""Columns that say how long a run is and when it is looked at."""


def of_trunks(runs: pd.DataFrame) -> bool:
    """Whether every row says which model it is a length of (a run under cosine is none of any)."""
    there = {"trunk", "budget.steps"} <= set(runs.columns)
    return there and bool(runs["trunk"].notna().all() and runs["budget.steps"].notna().all())


def longest(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None, str | None]:
    """The rows of the longest length, those of all shorter ones (None without), and the sentence that
    says so."""
    if not of_trunks(runs) or runs["budget.steps"].nunique() < 2:
        return runs, None, None
    steps = runs["budget.steps"].astype(int)
    last = steps == steps.max()
    others = ", ".join(str(s) for s in sorted(steps[~last].unique()))
    said = (f"the law is of the longest runs, {steps.max()} steps; those of {others} steps say how b "
            "depends on the length")  # fmt: skip
    return runs[last], runs[~last], said
