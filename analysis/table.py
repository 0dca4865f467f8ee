"""A `Table` that `load` returned can be fitted: its columns are there, its numbers are numbers,
no run stands in it twice, and it mixes nothing that gamma*(N) doesn't model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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


@dataclass(frozen=True)
class Choice:
    """The sweep file's `law` block: what was frozen before the sweep ran."""

    name: str = "gamma_star"
    metric: str = "val_loss"
    form: str | None = None
    window: float | None = None
    tuning_seeds: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Table:
    """Checked runs, one row each, and what is known of their sweep."""

    path: Path
    runs: pd.DataFrame
    sweep: str
    choice: Choice
    expected: int
    missing: list[dict[str, Any]] = field(default_factory=list)
    from_sweep: bool = False

    @property
    def curves_path(self) -> Path:
        """Where the evaluations over training would stand."""
        return self.path.with_name("curves.parquet")


def load(path: str | Path, where: str | None = None) -> Table:
    """Read `path` (Parquet; .csv and .tsv too) and check it. Raises InputError in one line.

    where: a condition on columns; the rows it leaves out were never in the table.
    """
    path = Path(path)
    runs, about = read_frame(path)
    try:
        if where:
            runs, about = chosen_rows(runs, about, where)
        return from_frame(runs, about, path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_frame(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The raw rows and the sweep's metadata ({} where the file has none)."""
    if not path.is_file():
        what = "is a folder, not a table" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {what}")
    if path.suffix in (".csv", ".tsv"):
        try:
            return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ","), {}
        except (ValueError, OSError) as error:
            raise InputError(
                f"{path}: can't be read as {path.suffix[1:]}: {one_line(error)}"
            ) from None
    import pyarrow
    import pyarrow.parquet

    try:
        arrow = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: is not a Parquet file ({one_line(error)})") from None
    raw = (arrow.schema.metadata or {}).get(b"orchestrator")
    try:
        about = json.loads(raw) if raw else {}
    except ValueError:
        raise InputError(f"{path}: its metadata 'orchestrator' is not JSON") from None
    return arrow.to_pandas(), about if isinstance(about, dict) else {}


def one_line(error: Exception) -> str:
    """The first sentence of a library's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def from_frame(runs: pd.DataFrame, about: dict[str, Any], path: Path) -> Table:
    """Check rows and metadata. Raises InputError without the path in it."""
    choice = read_choice(about.get("law") or {})
    missing_columns = [c for c in (*NEEDED, choice.metric) if c not in runs.columns]
    if missing_columns:
        raise InputError(
            f"lacks the column{'s' if len(missing_columns) > 1 else ''} "
            f"{', '.join(map(repr, missing_columns))}; a table of runs has "
            f"{', '.join(dict.fromkeys((*NEEDED, choice.metric)))}"
        )
    if runs.empty:
        raise InputError("has no rows: nothing to fit")
    runs = runs.reset_index(drop=True).copy()
    for column in {*NUMBERS, choice.metric} & set(runs.columns):
        runs[column] = to_numbers(runs[column], column)
    if "width" not in runs.columns:
        runs["width"] = 0
    if "chance" not in runs.columns:
        runs["chance"] = np.nan
    check_rows(runs, choice.metric)
    check_one_setting(runs)
    check_once(runs)
    for column in ("depth", "width", "seed"):
        runs[column] = runs[column].astype(int)
    runs["arm"] = runs["arm"].astype(str)
    return Table(
        path=path,
        runs=runs,
        sweep=str(about.get("sweep") or sweep_name(runs, path)),
        choice=choice,
        expected=int(about.get("expected") or len(runs)),
        missing=list(about.get("missing") or []),
        from_sweep=bool(about),
    )


def chosen_rows(
    runs: pd.DataFrame, about: dict[str, Any], where: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows a condition chooses, and the metadata that still holds. What is missing of a sweep
    may or may not be chosen, so it still counts as missing. Raises InputError."""
    from analysis.laws.expressions import condition

    keep = condition(where, runs)
    if not keep.any():
        raise InputError(f"--where {where!r} leaves none of {len(runs)} rows")
    left_out = int((~keep).sum())
    if about.get("expected"):
        about = {**about, "expected": int(about["expected"]) - left_out}
    return runs[keep], about


def sweep_name(runs: pd.DataFrame, path: Path) -> str:
    """The sweep's name where the metadata doesn't say it."""
    if "sweep" in runs.columns and runs["sweep"].nunique() == 1:
        return str(runs["sweep"].iloc[0])
    return path.stem


def read_choice(law: dict[str, Any]) -> Choice:
    """The `law` block with its defaults. Raises InputError for what the fit doesn't know."""
    if law.get("name", "gamma_star") != "gamma_star":
        raise InputError(
            f"law.name is {law['name']!r}; `fit` knows gamma_star (see `analysis law`)"
        )
    window = law.get("window")
    if window is not None and not (isinstance(window, int | float) and 0 < window < np.inf):
        raise InputError(f"law.window is {window!r}; a positive number (ln gamma) or null")
    tuning = law.get("tuning_seeds")
    return Choice(
        metric=str(law.get("metric") or "val_loss"),
        form=law.get("form"),
        window=None if window is None else float(window),
        tuning_seeds=None if tuning is None else tuple(int(seed) for seed in tuning),
    )


def to_numbers(column: pd.Series, name: str) -> pd.Series:
    """`column` as floats (null: NaN). Raises InputError naming the first value that is none."""
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
    refuse(np.isinf(runs["gamma"]), "gamma is infinite")
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
    outcome = {*keys, *NUMBERS, "run_id", "status", "wall_s", "device", "pack_size", "attempt",
               "git_commit", "code_version", "sweep"} - {"chance", "steps", "tokens"}  # fmt: skip
    differ = [c for c in runs.columns
              if c not in outcome and str(first[c]) != str(other[c])]  # fmt: skip
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
            raise InputError(f"mixes {what}: {column!r} is {shown}; the fit models gamma*(N) at "
                             f"one task and one budget, so fit each on its own (--where), or "
                             f"compare arms (`analysis arms`)")  # fmt: skip
