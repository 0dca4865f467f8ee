"""What a table of runs must satisfy before anything is fitted: each value within what it can be, no
run twice, one task and one budget. A refusal names one run, or the column that mixes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype

from analysis.errors import InputError

NEEDED = ("run_id", "arm", "task", "depth", "gamma", "lr", "seed", "status")
NUMBERS = (
    "depth", "width", "gamma", "lr", "seed", "chance", "steps", "tokens", "val_loss", "mean_loss",
    "accuracy", "eval_correct", "eval_total", "steps_to_solve", "params", "flops",
)  # fmt: skip
LOSSES = ("val_loss", "mean_loss")
STATUSES = ("completed", "diverged", "failed")
# What must not vary within a table: gamma*(N) at one task and one training budget.
ONE_VALUED = ("task", "chance", "steps", "tokens", "batch", "tokens_per_step")
ONE_VALUED_GROUPS = ("task.", "budget.")


def to_numbers(column: pd.Series, name: str) -> pd.Series:
    """`column` as floats (null: NaN). Raises InputError naming the first value that is none."""
    if is_float_dtype(column.dtype):
        return column.astype(float)
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = column[numbers.isna() & column.notna()]
    wrong = wrong[wrong.astype(str).str.lower() != "nan"]
    if len(wrong):
        raise InputError(f"column {name!r} holds {wrong.iloc[0]!r}, which is not a number")
    return numbers


def check_rows(runs: pd.DataFrame, metric: str) -> None:
    """Every value within what it can be; the message names one run."""

    def refuse(bad: pd.Series, why: str) -> None:
        if bad.any():
            row = runs[bad].iloc[0]
            more = f" ({int(bad.sum())} such rows)" if bad.sum() > 1 else ""
            raise InputError(f"run {row['run_id']}: {why(row) if callable(why) else why}{more}")

    if runs["depth"].isna().all():
        raise InputError("no run has a depth (a model of one's own?): `analysis law power TABLE --map "
                         "x=params,y=val_loss` fits a law over its sizes")  # fmt: skip
    status = runs["status"]
    refuse(~status.isin(STATUSES), lambda r: f"status {r['status']!r} is none of {STATUSES}")
    refuse(runs["arm"].isna(), "has no arm")
    for name in ("depth", "width", "seed"):
        low = 1 if name == "depth" else 0
        v = runs[name]
        refuse(
            ~np.isfinite(v) | (v < low) | (v != v.round()),
            lambda r, name=name, low=low: f"{name} is {r[name]}; a whole number from {low} up",
        )
    refuse(np.isinf(runs["gamma"]), "γ is infinite")
    refuse(~(runs["lr"].isna() | ((runs["lr"] > 0) & np.isfinite(runs["lr"]))),
           lambda r: f"lr is {r['lr']}; a positive number")  # fmt: skip
    completed = status == "completed"
    for name in dict.fromkeys((metric, *LOSSES)):
        if name not in runs.columns or name == "steps_to_solve":
            continue
        v = runs[name]
        if name == metric:
            refuse(completed & ~np.isfinite(v),
                   lambda r, name=name: f"completed, but its {name} is {r[name]}")  # fmt: skip
        if name in LOSSES:
            refuse(
                v < 0, lambda r, name=name: f"{name} is {r[name]}; a cross-entropy is not negative"
            )
    if "accuracy" in runs.columns:
        refuse((runs["accuracy"] < 0) | (runs["accuracy"] > 1),
               lambda r: f"accuracy is {r['accuracy']}; it lies in [0, 1]")  # fmt: skip
    refuse((runs["chance"] <= 0) | (runs["chance"] >= 1),
           lambda r: f"chance is {r['chance']}; an accuracy in (0, 1)")  # fmt: skip


def check_once(runs: pd.DataFrame) -> None:
    """No run twice: neither by its id nor by all that tells runs apart."""
    twice = runs[runs["run_id"].duplicated()]
    if len(twice):
        raise InputError(f"run {twice['run_id'].iloc[0]} stands in it twice; one row a run")
    keys = ["arm", "depth", "width", "gamma", "lr", "seed"]
    keys += [c for c in ("seed_init", "seed_data") if c in runs.columns]
    same = runs[runs.duplicated(keys, keep=False) & runs["gamma"].notna()]
    if same.empty:
        return
    first = same.iloc[0]
    pair = same[(same[keys].fillna(-1) == first[keys].fillna(-1)).all(axis=1)]
    other = pair.iloc[1]
    results = {*keys, *NUMBERS, "run_id", "status", "wall_s", "device", "pack_size", "attempt",
               "git_commit", "code_version", "sweep"} - {"chance", "steps", "tokens"}  # fmt: skip
    differ = [c for c in runs.columns
              if c not in results and str(first[c]) != str(other[c])]  # fmt: skip
    at = ", ".join(f"{k}={first[k]}" for k in ("arm", "depth", "gamma", "lr", "seed"))
    if differ:
        raise InputError(f"mixes runs that differ in {differ[0]!r} alone ({at}), "
                         f"which the fit doesn't model; make it an arm or split the table")  # fmt: skip
    raise InputError(f"the same run stands in it twice: {first['run_id']} and "
                     f"{other['run_id']} ({at})")  # fmt: skip


def check_one_setting(runs: pd.DataFrame) -> None:
    """One task and one budget, in whatever columns say them; a diverged run may have ended early."""
    completed = runs[runs["status"] == "completed"]
    for column in runs.columns:
        if column not in ONE_VALUED and not column.startswith(ONE_VALUED_GROUPS):
            continue
        values = completed[column].dropna().map(str).unique()
        if len(values) > 1:
            what = "tasks" if column.startswith("task") or column == "chance" else "budgets"
            shown = ", ".join(sorted(values)[:4])
            raise InputError(f"mixes {what}: {column!r} is {shown}; the fit models γ*(N) at "
                             f"one task and one budget, so fit each on its own (--where), or "
                             f"compare arms (`analysis arms`)")  # fmt: skip
