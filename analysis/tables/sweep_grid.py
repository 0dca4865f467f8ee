"""The grid of a sweep file as a table of planned runs, read without composing anything.

Guarantee: what can't be read as plain values (a file of another kind, `choice` of what isn't a
value, an interval) is refused by name, never left out.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.errors import InputError

COLUMNS = {"model/momentum": "arm", "model.depth": "depth", "model.momentum.gamma": "gamma",
           "optim.lr": "lr", "seed": "seed", "model.width": "width"}  # fmt: skip
NUMBERS = ("depth", "gamma", "lr", "seed", "width")


def read_grid(path: str | Path) -> tuple[pd.DataFrame, tuple[int, ...]]:
    """(a row a run: arm, depth, gamma, lr, seed, width; the seeds that tune). A column is NaN where the
    grid does not vary or set it. Raises InputError."""
    given = _inherited(Path(path), ())
    sweeper = given.get("hydra", {}).get("sweeper", {})
    params, grids = sweeper.get("params") or {}, sweeper.get("grids") or [{}]
    zips = sweeper.get("zip") or []
    lists = isinstance(grids, list) and isinstance(zips, list)
    if not (lists and all(isinstance(part, dict) for part in (params, *grids, *zips))):
        raise InputError(f"{path}: hydra.sweeper.params, grids and zip map keys to values")
    if not params and grids == [{}] and not zips:
        raise InputError(f"{path}: has no hydra.sweeper.params, grids or zip: not a sweep file")
    fixed = {key: _at(given, key) for key in COLUMNS if _at(given, key) is not None}
    moving = {key for group in zips for key in group}
    rows = []
    for entry in grids:
        words = {**fixed, **params, **entry}
        axes = [[{key: v} for v in _values(path, key, value)]
                for key, value in words.items() if key not in moving]  # fmt: skip
        for point in product(*axes, *(_together(path, group, entry) for group in zips)):
            rows.append({key: value for part in point for key, value in part.items()})
    frame = pd.DataFrame(rows).drop_duplicates().rename(columns=COLUMNS)
    for column in COLUMNS.values():
        if column not in frame:
            frame[column] = None
    for column in NUMBERS:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        if (wrong := frame[column][numbers.isna() & frame[column].notna()]).size:
            raise InputError(f"{path}: {column} is {wrong.iloc[0]!r}, which is not a number")
        frame[column] = numbers.astype(float)
    tuning = (given.get("sweep") or {}).get("law", {}) or {}
    return frame.reset_index(drop=True), tuple(int(s) for s in tuning.get("tuning_seeds") or ())


def _together(
    path: str | Path, group: dict[str, Any], entry: dict[str, Any]
) -> list[dict[str, Any]]:
    """The points of keys that move together; what an entry of grids says of one takes its place."""
    values = {key: _values(path, key, entry.get(key, value)) for key, value in group.items()}
    counts = {len(v) for key, v in values.items() if len(v) > 1 or key not in entry}
    if len(counts) > 1:
        raise InputError(
            f"{path}: hydra.sweeper.zip: keys that move together need as many values each"
        )
    n = max(counts, default=1)
    return [{key: v[i % len(v)] for key, v in values.items()} for i in range(n)]


def _inherited(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The file over the sweep files beside it that its defaults name."""
    import yaml

    if path in seen:
        raise InputError(f"{path}: its defaults name it again")
    try:
        own = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"can't read {path}: {' '.join(str(error).split())}") from None
    if not isinstance(own, dict):
        raise InputError(f"{path}: not a sweep file")
    out: dict[str, Any] = {}
    for entry in own.get("defaults") or []:
        beside = path.with_name(f"{entry}.yaml") if isinstance(entry, str) else None
        if beside is not None and beside != path and beside.exists():
            out = _merged(out, _inherited(beside, (*seen, path)))
    return _merged(out, own)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = dict(old)
    for key, value in new.items():
        deeper = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = _merged(both[key], value) if deeper else value
    return both


def _at(given: dict[str, Any], key: str) -> Any:
    """A plain value that the file sets outside its grid."""
    for part in re.split(r"[./]", key):
        given = given.get(part) if isinstance(given, dict) else None
    return None if isinstance(given, dict | list) else given


def _values(path: str | Path, key: str, value: Any) -> list[Any]:
    """The values of one axis: "1,2,3", "range(0,8)", "choice(a,b)" or one value."""
    if not isinstance(value, str):
        if isinstance(value, list | dict):
            raise InputError(f"{path}: {key}: write values as one text, such as '1,2,3'")
        return [value]
    text = value.strip()
    if match := re.fullmatch(r"range\(([^()]*)\)", text):
        try:
            ends = [int(v) for v in match[1].split(",")]
            return list(range(*ends))
        except (ValueError, TypeError):
            raise InputError(f"{path}: {key}={value}: a range of whole numbers") from None
    if match := re.fullmatch(r"choice\(([^()]*)\)", text):
        text = match[1]
    if re.search(r"[()\[\]{}]", text):
        raise InputError(f"{path}: {key}={value} can't be read here; give --depths, --gammas and "
                         "--seeds")  # fmt: skip
    return [v.strip() for v in text.split(",")]
