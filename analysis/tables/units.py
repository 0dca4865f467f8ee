"""What is exchangeable in a table: a seed counts once whatever its names, a row that tuned is no
replicate, and the rows of one run are one unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

OUTCOMES = ("val_loss", "mean_loss", "accuracy", "eval_correct", "steps_to_solve", "status")
LOSSES = ("val_loss", "mean_loss")
DIGITS = 6
"""Outcomes of fewer significant digits can agree by chance."""
LEAST_PAIRS = 5  # places at which two seeds with outcomes of few digits must agree, at all of them
NEAR = 1e-6
"""Losses of two seeds that differ relatively by less do so by chance at no half of their places."""
# What holds the name of a run, and what names the model that a run or checkpoint belongs to.
RUN_NAMES = ("trunk", "run_id", "run", "run_name", "trajectory", "checkpoint_of", "parent", "parent_run",
             "parent_run_id", "trial", "trial_id", "job", "job_id")  # fmt: skip
MODEL_NAMES = ("model", "model_id", "model_name", "name", "experiment", "experiment_id",
               "experiment_name")  # fmt: skip
LEAST_UNITS = 3


def without_copies(runs: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The rows with every seed once, and the sentence that says what was set aside (or None).

    Of one setting two rows are copies if they name the same seed_init and seed_data under another
    seed, or if their outcomes agree to the last of DIGITS digits or more. Outcomes that also
    stand at another setting (a clipped loss) or have few digits tell copies only if two seeds
    agree at every place; a loss alone, within NEAR, if they do so at half of their places. The row
    of the smallest seed stays.
    """
    place = [c for c in ("arm", "task", "depth", "width", "gamma", "lr", "steps") if c in runs]
    place += [c for c in runs.columns if c.startswith("model.momentum.")]
    ordered = runs.sort_values("seed", kind="stable")
    there = [c for c in OUTCOMES if c in runs.columns and ordered[c].notna().any()]
    both = [c for c in ("seed_init", "seed_data") if c in runs.columns and runs[c].notna().any()]
    at = ordered.groupby(place, dropna=False, sort=False).ngroup()
    near = nearly_copies(ordered, at)
    if not near.any() and not any(runs.duplicated([*place, *c]).any() for c in (there, both) if c):
        return runs, None
    result = ordered[there].apply(lambda c: pd.factorize(c, use_na_sentinel=False)[0])
    same = pd.concat([at, *[result[c] for c in there]], axis=1, keys=range(1 + len(there)))
    group = pd.Series(same.groupby(list(same)).ngroup(), index=ordered.index)
    first = ordered["seed"].groupby(group, sort=False).transform("first")
    copies = (first != ordered["seed"]) & telling(ordered, at, there)
    for index in at_one_depth(ordered):
        part = pd.DataFrame({"seed": ordered["seed"].to_numpy()[index], "at": at.to_numpy()[index],
                             "group": group.to_numpy()[index], "first": first.to_numpy()[index],
                             "copy": copies.to_numpy()[index]})  # fmt: skip
        copies.iloc[index] |= whole_copies(part, ordered[there].iloc[index])
    named = np.zeros(len(runs), bool)
    if len(both) == 2 and len(runs[both].drop_duplicates()) > 1:
        keys = [at, *(ordered[c] for c in both)]
        again = ordered["seed"].groupby(keys, dropna=False).transform("first")
        named = ((again != ordered["seed"]) & ordered[both].notna().all(axis=1)).to_numpy()
    gone = copies.to_numpy() | named | near
    if not gone.any():
        return runs, None
    seeds = sorted(ordered["seed"][gone].unique())
    shown = ", ".join(f"{s:g}" for s in seeds[:6]) + (", ..." if len(seeds) > 6 else "")
    why = [w for w, yes in (("outcomes equal to the last digit", (copies & ~named).any()),
                            (f"losses equal within {NEAR:.0e}", (near & ~copies & ~named).any()),
                            ("the same seed_init and seed_data", named.any())) if yes]  # fmt: skip
    said = (f"{int(gone.sum())} of {len(runs)} runs are copies of a seed under another name "
            f"(seed{'s' if len(seeds) > 1 else ''} {shown}: {' or '.join(why)}); each seed counts "
            f"once")  # fmt: skip
    kept = pd.Series(~gone, index=ordered.index)
    return runs[kept.loc[runs.index].to_numpy()], said


def at_one_depth(runs: pd.DataFrame) -> list[np.ndarray]:
    """The rows' positions by arm, depth and width."""
    where = runs.groupby([c for c in ("arm", "depth", "width") if c in runs], dropna=False)
    return list(where.indices.values())


def nearly_copies(runs: pd.DataFrame, place: pd.Series) -> np.ndarray:
    """Which rows (R,) have a loss within NEAR of a smaller seed's, where two seeds of one depth
    agree so at half of the places they share, and at LEAST_PAIRS of different losses. A loss that
    also stands at another place of its depth (all runs at chance) tells nothing."""
    out = np.zeros(len(runs), bool)
    columns = [runs[c].to_numpy(float) for c in LOSSES if c in runs]
    for index in at_one_depth(runs):
        seeds, at = runs["seed"].to_numpy()[index], place.to_numpy()[index]
        for loss in (c[index] for c in columns):
            group, places = near_groups(loss, at)
            first = pd.Series(seeds).groupby(group).transform("min").to_numpy()
            later = (first != seeds) & (places == 1) & long_numbers(loss)
            for seed, original in set(zip(seeds[later], first[later], strict=True)):
                rows = later & (seeds == seed) & (first == original)
                there = (at[(seeds == s) & np.isfinite(loss)] for s in (seed, original))
                out[index[rows]] |= (2 * rows.sum() >= len(np.intersect1d(*there))
                                     and len(np.unique(loss[rows])) >= LEAST_PAIRS)  # fmt: skip
    return out


def near_groups(loss: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row (n,) the group of losses that lie within NEAR of the next one, and at how many
    places that group stands."""
    order = np.argsort(loss)
    low, high = loss[order[:-1]], loss[order[1:]]
    group = np.empty(len(loss), int)
    group[order] = np.cumsum([False, *~(high - low <= NEAR * np.abs(high))])
    return group, pd.Series(at).groupby(group).transform("nunique").to_numpy()


def whole_copies(part: pd.DataFrame, outcomes: pd.DataFrame) -> np.ndarray:
    """Which rows (R,) of one depth repeat another seed's row, of seeds that are copies as a whole:
    half of their rows are known to be, or all rows that two seeds share agree.

    part: seed, at (the setting), group (setting and outcome), first (the group's first seed), copy.
    """
    out = np.zeros(len(part), bool)
    lost = outcomes[[c for c in LOSSES if c in outcomes]].isna().all(axis=1).to_numpy()
    suspect = part[(part["first"] != part["seed"]) & ~lost]
    for seed, rows in suspect.groupby("seed"):
        original = rows["first"].mode().iloc[0]
        mine, theirs = part[part["seed"] == seed], part[part["seed"] == original]
        shared = mine["at"].isin(theirs["at"])
        agree = mine["group"].isin(theirs["group"])
        distinct = outcomes.iloc[mine.index[agree]].nunique().max() if agree.any() else 0
        if part["copy"][mine.index].mean() >= 0.5 or (
            bool((agree | ~shared).all()) and distinct >= LEAST_PAIRS
        ):
            out[mine.index[agree]] = True
    return out


def telling(runs: pd.DataFrame, place: pd.Series, there: Sequence[str]) -> pd.Series:
    """Which rows have an outcome that no two seeds share by chance."""
    out = pd.Series(False, index=runs.index)
    for column in (c for c in LOSSES if c in there):
        v = runs[column].to_numpy(float)
        out |= long_numbers(v) & (place.groupby(runs[column]).transform("nunique") == 1)
    return out


def long_numbers(v: np.ndarray) -> np.ndarray:
    """Which of v (n,) have DIGITS significant digits or more."""
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = 10.0 ** (np.floor(np.log10(np.abs(v))) - (DIGITS - 2))
        off = np.abs(v / unit - np.round(v / unit))
    return np.isfinite(v) & (v != 0) & (off > 1e-6)


def tuning_rows(runs: pd.DataFrame, given: Sequence[int] | None) -> np.ndarray:
    """Which rows (R,) of one arm and depth tuned: those of the seeds `given`, else of the seeds that
    ran a setting at several learning rates where others did not. All False where nothing tells."""
    if given:
        mine = runs["seed"].isin(given).to_numpy()
        if mine.any() and not mine.all():
            return mine
    # gamma = 0 may have a rate of its own: a seed tunes where one gamma has several
    rates = runs.groupby(["seed", "gamma"], dropna=False)["lr"].nunique().groupby("seed").max()
    several = rates.index[rates > 1]
    if 0 < len(several) < len(rates):
        return runs["seed"].isin(several).to_numpy()
    return np.zeros(len(runs), bool)


def tuning_anywhere(runs: pd.DataFrame, given: Sequence[int] | None) -> np.ndarray:
    """`tuning_rows` of every arm, depth and width (R,)."""
    out = np.zeros(len(runs), bool)
    for index in runs.groupby(["arm", "width", "depth"], dropna=False).indices.values():
        out[index] = tuning_rows(runs.iloc[index], given)
    return out


def unit_column(table: pd.DataFrame, inputs: pd.DataFrame) -> str | None:
    """The column that says which rows belong to one run, None where none does.

    inputs: the numbers a law is fitted on, without its response. A run's name must repeat with
    other inputs (or steps); a model's name moreover with one input that is its own (its size).
    Of several the one with the fewest values is taken: what shares a model shares its runs.
    """
    steps = [c for c in table.columns if str(c).strip().lower() in ("step", "steps", "tokens")]
    moving = pd.concat([inputs, table[steps]], axis=1)
    found = []
    for column in table.columns:
        name = str(column).strip().lower().replace(" ", "_").replace("-", "_")
        if name not in RUN_NAMES + MODEL_NAMES or table[column].isna().all():
            continue
        if name == "trunk" and table[column].isna().any():
            continue  # runs under cosine are of none
        groups = table[column].astype(str)
        count = groups.nunique()
        varies = moving.groupby(groups).nunique() > 1
        if not LEAST_UNITS <= count < len(table) or not varies.any(axis=None):
            continue
        own = ~varies[inputs.columns].any() & (inputs.nunique() > 1)
        if name in RUN_NAMES or own.any():
            found.append((count, str(column)))
    return min(found)[1] if found else None
